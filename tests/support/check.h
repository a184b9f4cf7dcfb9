/*
 * check.h: the words of every test program that does not use cmocka.
 *
 * cmocka leaves a function at its first failure, which suits functions that share nothing. These
 * programs take one store or server through all of their functions, some of them with several
 * threads. So a check that fails is printed and counted, and the program goes on.
 */
#ifndef BB_TEST_CHECK_H
#define BB_TEST_CHECK_H

/* CHECK(condition): if it is false, prints it with its place and counts a failure. Its value is the
 * condition's, for code that cannot go on. Any thread. In a fuzz target a failure ends the
 * program. */
#define CHECK(condition) \
    check_value((condition) ? 1 : (check_failed(__FILE__, __LINE__, #condition), 0))

/* CHECK_MSG(condition, format, ...): the same, with a text like printf()'s that says what was tried
 * or seen. */
#define CHECK_MSG(condition, ...) \
    check_value((condition) ? 1   \
                            : (check_failed_msg(__FILE__, __LINE__, #condition, __VA_ARGS__), 0))

/* CHECK_TEST(test_this(arguments)): calls a test function and prints its name, whether all of its
 * checks were good, and its time. If BB_TEST_ONLY names functions, with * and ? as in a shell, the
 * others are not called. For main() only. */
#define CHECK_TEST(call)          \
    do {                          \
        if (check_begin(#call)) { \
            call;                 \
            check_end();          \
        }                         \
    } while (0)

/* How many checks have failed. */
unsigned check_failures(void);

/* What main() returns: 1 if a check failed, or if BB_TEST_ONLY matches no function. */
int check_status(void);

/* For the macros. The first is there as a value may be left unused only if a function gives it. */
static inline int check_value(int is_so)
{
    return is_so;
}
void check_failed(const char *file, int line, const char *condition);
void check_failed_msg(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int check_begin(const char *call);
void check_end(void);

#endif
