/*
 * main.c: the command line of bb-contacts-uv.
 */
#include "access_log.h"
#include "command_line.h"
#include "demo.h"
#include "limits.h"
#include "listen.h"
#include "log.h"
#include "query.h"
#include "serve.h"
#include "store.h"
#include "timeouts.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

const char log_program[] = "bb-contacts-uv";

static const char help[] =
    "usage: bb-contacts-uv [--store URI] [--listen HOST:PORT] [--workers N] [--timeout SECONDS]\n"
    "                      [--idle SECONDS] [--head-time SECONDS] [--body-time SECONDS]\n"
    "                      [--max-answer BYTES] [--custom-attributes replace|merge]\n"
    "                      [--access-log FILE] [--demo]\n"
    "\n"
    "Serves POST /api/v1/chatbots/ID/contacts, GET /healthz, and GET /metrics (Prometheus). One\n"
    "thread serves all connections; others write to the store.\n"
    "\n"
    "  --store URI         memory:, sqlite:PATH or postgresql://...\n"
    "                      (default sqlite:bb-contacts.db, which is made if it is not there)\n"
    "  --listen HOST:PORT  where to listen; port 0 takes a free one, IPv6 is [::1]:8080\n"
    "                      (default 127.0.0.1:8080)\n"
    "  --workers N         how many transactions are written at once (1 to 256, default 2);\n"
    "                      requests that arrive together share one\n"
    "  --timeout SECONDS   how long a request may wait for the store (default 10)\n"
    "  --idle SECONDS      closes connections on which nothing moves for this long (default 75)\n"
    "  --head-time SECONDS how long a request's head may take to arrive (default 30)\n"
    "  --body-time SECONDS how long its body may take (default 300)\n"
    "  --max-answer BYTES  refuses requests (413) whose answer would be larger (default 67108864)\n"
    "  --custom-attributes replace|merge\n"
    "                      replace a contact's custom_attributes (default), or merge into them:\n"
    "                      set each member that is sent, remove those that are null; a request\n"
    "                      can choose for itself: ?custom_attributes=merge\n"
    "  --access-log FILE   appends a line of JSON for each request; - is standard output\n"
    "  --demo              makes chatbot 123 in workspace 1, with the key in the environment\n"
    "                      variable BOOKBAG_API_KEY, or with a new one (oc_test_...), which is\n"
    "                      printed\n"
    "  --help, --version\n"
    "\n"
    "It speaks plain HTTP, without TLS: put a proxy in front of it. It takes as many connections\n"
    "as the system lets it open files (ulimit -H -n). It logs to standard error. SIGTERM and\n"
    "SIGINT end it: it takes no new connections, and finishes what is in flight, for at most two\n"
    "seconds more than --timeout. bb-contacts-server makes chatbots and keys.\n"
    "\n"
    "Exit status: 0, 1 for a failure, 2 for a wrong command line.";

enum {
    STORE = FIRST_OPTION,
    LISTEN,
    WORKERS,
    TIMEOUT,
    IDLE,
    HEAD_TIME,
    BODY_TIME,
    MAX_ANSWER,
    CUSTOM_ATTRIBUTES,
    ACCESS_LOG,
    DEMO,
    HELP,
    VERSION
};

struct options {
    const char *store;
    const char *listen;
    int64_t workers;
    int64_t timeout; /* seconds; so are the next ones */
    int64_t idle;
    int64_t head_time;
    int64_t body_time;
    int64_t max_answer;        /* bytes; 0: the library's default */
    int32_t custom_attributes; /* a bb_attributes */
    const char *access_log;    /* NULL: none */
    int demo;
};

/* Returns -1 to go on, or the exit status. */
static int check_options(const struct options *options)
{
    const struct {
        const char *name;
        int64_t seconds;
        int64_t most;
    } times[] = {{"--timeout", options->timeout, MAX_TIMEOUT},
                 {"--idle", options->idle, MAX_IDLE_SECONDS},
                 {"--head-time", options->head_time, MAX_IDLE_SECONDS},
                 {"--body-time", options->body_time, MAX_IDLE_SECONDS}};

    if (options->custom_attributes < 0)
        return usage_error("must be replace or merge", "--custom-attributes");
    if (options->workers < 1 || options->workers > MAX_WORKERS)
        return usage_error("must be 1 to 256", "--workers");
    if (options->max_answer < 0 || options->max_answer > MAX_ANSWER_BYTES)
        return usage_error("must be 1 to 17179869184 bytes", "--max-answer");
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (times[i].seconds < 1 || times[i].seconds > times[i].most)
            return usage_error("must be 1 to 86400 seconds", times[i].name);
    return -1;
}

/* Returns -1 to go on, or the exit status. */
static int read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"idle", required_argument, NULL, IDLE},
        {"head-time", required_argument, NULL, HEAD_TIME},
        {"body-time", required_argument, NULL, BODY_TIME},
        {"max-answer", required_argument, NULL, MAX_ANSWER},
        {"custom-attributes", required_argument, NULL, CUSTOM_ATTRIBUTES},
        {"access-log", required_argument, NULL, ACCESS_LOG},
        {"store", required_argument, NULL, STORE},
        {"listen", required_argument, NULL, LISTEN},
        {"workers", required_argument, NULL, WORKERS},
        {"timeout", required_argument, NULL, TIMEOUT},
        {"demo", no_argument, NULL, DEMO},
        {"help", no_argument, NULL, HELP},
        {"version", no_argument, NULL, VERSION},
        {NULL, 0, NULL, 0},
    };
    int option;

    opterr = 0; /* option_error() says it */
    while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        if (option == '?' || option == ':')
            return option_error(argv, option);
        if (option == HELP)
            return print_line("", help);
        if (option == VERSION)
            return print_line("bb-contacts-uv ", bb_version());
        if (option == STORE)
            options->store = optarg;
        else if (option == LISTEN)
            options->listen = optarg;
        else if (option == WORKERS)
            options->workers = parse_number(optarg, 1);
        else if (option == TIMEOUT)
            options->timeout = parse_number(optarg, 1);
        else if (option == IDLE)
            options->idle = parse_number(optarg, 1);
        else if (option == HEAD_TIME)
            options->head_time = parse_number(optarg, 1);
        else if (option == BODY_TIME)
            options->body_time = parse_number(optarg, 1);
        else if (option == MAX_ANSWER)
            options->max_answer = parse_number(optarg, 1);
        else if (option == CUSTOM_ATTRIBUTES)
            options->custom_attributes = query_attributes(optarg, strlen(optarg));
        else if (option == ACCESS_LOG)
            options->access_log = optarg;
        else
            options->demo = 1;
    }
    if (optind < argc)
        return usage_error("not an option", argv[optind]);
    return check_options(options);
}

/* Opens what is served. The socket comes first, since its port may be taken. */
static int run(bb_storage *storage, const struct options *options)
{
    struct serve_limits limits = {.connections = serve_allow_connections(),
                                  .idle_ms = (uint64_t)options->idle * 1000,
                                  .head_ms = (uint64_t)options->head_time * 1000,
                                  .body_ms = (uint64_t)options->body_time * 1000,
                                  .drain_ms = (uint64_t)options->timeout * 1000 + DRAIN_MORE_MS};
    bb_contacts *contacts = NULL;
    char address[300];
    int listener = listen_open(options->listen, address, sizeof address);
    int status;

    if (listener < 0)
        return -listener;
    status = options->demo ? demo_prepare(storage, options->timeout * 1000) : EXIT_SUCCESS;
    if (status == EXIT_SUCCESS)
        status = access_log_open(options->access_log);
    /* Each connection has one request at a time, and a chatbot may fill half of the places. So the
     * requests of all connections can wait, and none is refused because of the others. */
    if (status == EXIT_SUCCESS)
        status = endpoint_open(storage, (uint32_t)options->workers, 2 * limits.connections,
                               options->max_answer, options->custom_attributes,
                               options->timeout * 1000, &contacts);
    if (status != EXIT_SUCCESS) {
        close(listener);
        return status;
    }
    return serve(contacts, listener, address, &limits);
}

/* By default, glibc gives the pages of a large body or answer back to the system as soon as it is
 * freed. The next one would cost a page fault for each of its pages. */
static void keep_freed_pages(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
#endif
}

int main(int argc, char **argv)
{
    struct options options = {.store = "sqlite:bb-contacts.db",
                              .listen = "127.0.0.1:8080",
                              .workers = DEFAULT_WORKERS,
                              .timeout = DEFAULT_TIMEOUT,
                              .idle = IDLE_SECONDS,
                              .head_time = HEAD_SECONDS,
                              .body_time = BODY_SECONDS};
    bb_storage *storage = NULL;
    int status = read_options(argc, argv, &options);

    if (status >= 0)
        return status;
    keep_freed_pages();
    status = store_open(options.store, 1, options.timeout * 1000, &storage);
    if (status != EXIT_SUCCESS)
        return status;
    status = run(storage, &options);
    bb_storage_close(storage);
    return status;
}
