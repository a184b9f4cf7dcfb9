/*
 * operators.h: operators in SQL, by names that no search_path changes.
 *
 * The role that serves requests may have a search_path with schemas in which others create objects.
 * A function of theirs, public.sqrt(integer), fits better than the catalog's sqrt(double precision)
 * and would run with that role's rights. So each function, operator, type and collation of this
 * backend's SQL is written with its schema, and what looks an operator up without saying so has no
 * place in it: IN, BETWEEN, LIKE, IS DISTINCT FROM, NULLIF, CASE x WHEN, USING. A search_path of
 * the library's own would be simpler, and would also be that of the host's access query, triggers
 * and policies.
 */
#ifndef BB_POSTGRES_OPERATORS_H
#define BB_POSTGRES_OPERATORS_H

/* All of these bind alike, from left to right, so that a sum beside a comparison takes
 * parentheses. */
#define OP(operator) " OPERATOR(pg_catalog." #operator") "

#endif
