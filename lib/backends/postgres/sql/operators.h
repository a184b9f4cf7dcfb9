/*
 * operators.h: operators in SQL, by names that no search_path changes.
 *
 * The role that serves requests may have a search_path with schemas in which others create objects.
 * A function of theirs, such as public.sqrt(integer), may fit better than the catalog's sqrt(double
 * precision), and would run with that role's rights. So this backend's SQL writes each function,
 * operator, type and collation with its schema, and does without words that look operators up by
 * themselves: IN, BETWEEN, LIKE, IS DISTINCT FROM, NULLIF, CASE x WHEN, USING. A search_path of the
 * library's own would be simpler, but the host's access query, triggers and policies would see it,
 * too.
 */
#ifndef BB_POSTGRES_OPERATORS_H
#define BB_POSTGRES_OPERATORS_H

/* All of these have one precedence, from left to right, so a sum beside a comparison needs
 * parentheses. */
#define OP(operator) " OPERATOR(pg_catalog." #operator") "

#endif
