/*
 * process.c: programs that a test runs beside it.
 */
#include "postgres/process.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t process_start(const char *const *arguments)
{
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        union {
            const char *const *given;
            char *const *wanted; /* execv() doesn't change them */
        } list = {arguments};
        execv(arguments[0], list.wanted);
        perror(arguments[0]);
        _exit(126);
    }
    return child;
}

int process_wait(pid_t process)
{
    int status = 0;

    if (process < 0 || waitpid(process, &status, 0) != process)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
