/*
 * main.c: the command line of bb-contacts-server.
 */
#include "command_line.h"
#include "commands.h"
#include "limits.h"
#include "log.h"
#include "query.h"
#include "store.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const char log_program[] = "bb-contacts-server";

static const char help[] =
    "usage: bb-contacts-server [--store URI] serve [--listen HOST:PORT] [--workers N]\n"
    "                                              [--idle SECONDS] [--max-answer BYTES]\n"
    "                                              [--custom-attributes replace|merge]\n"
    "                                              [--access-log FILE] [--demo]\n"
    "       bb-contacts-server [--store URI] chatbot add ID --workspace N\n"
    "       bb-contacts-server [--store URI] chatbot archive ID\n"
    "       bb-contacts-server [--store URI] chatbot restore ID\n"
    "       bb-contacts-server [--store URI] key add --workspace N [--chatbot ID]\n"
    "                                                [--expires UNIXTIME] [--env NAME]\n"
    "       bb-contacts-server [--store URI] key revoke KEY\n"
    "       bb-contacts-server --store postgresql://... schema print\n"
    "\n"
    "Serves POST /api/v1/chatbots/ID/contacts, GET /healthz, and GET /metrics (Prometheus). With\n"
    "the same Idempotency-Key header, contacts sent again without external_id get the same ids.\n"
    "\n"
    "  --store URI         memory: (serve only), sqlite:PATH or postgresql://...\n"
    "                      (default sqlite:bb-contacts.db)\n"
    "  --listen HOST:PORT  where to listen; port 0 takes a free one, IPv6 is [::1]:8080\n"
    "                      (default 127.0.0.1:8080)\n"
    "  --workers N         how many transactions are written at once (default 2); requests that\n"
    "                      arrive together share one; with 0 their own threads write them\n"
    "  --timeout SECONDS   how long a request, or a command, may wait for the store (default 10)\n"
    "  --idle SECONDS      closes connections on which nothing moves for this long (default 75)\n"
    "  --max-answer BYTES  refuses requests (413) whose answer would be larger (default 67108864)\n"
    "  --custom-attributes replace|merge\n"
    "                      replace a contact's custom_attributes (default), or merge into them:\n"
    "                      set each member that is sent, remove those that are null; a request\n"
    "                      can choose for itself: ?custom_attributes=merge\n"
    "  --access-log FILE   appends a line of JSON for each request; - is standard output\n"
    "  --demo              makes chatbot 123 in workspace 1, with the key in the environment\n"
    "                      variable BOOKBAG_API_KEY, or with a new one (oc_test_...), which is\n"
    "                      printed\n"
    "  --workspace N       the workspace that the chatbot or key belongs to\n"
    "  --chatbot ID        the one chatbot that the key is for (default: all of the workspace's)\n"
    "  --expires UNIXTIME  the second from which the key is no longer valid (default: never)\n"
    "  --env NAME          letters and digits for the key's prefix, oc_NAME_ (default live)\n"
    "  --help, --version\n"
    "\n"
    "serve speaks plain HTTP, without TLS: put a proxy in front of it. It has at most 512\n"
    "connections at once; others wait. It logs to standard error. SIGTERM and SIGINT end it: it\n"
    "takes no new connections, and finishes what is in flight, for at most two seconds more than\n"
    "--timeout.\n"
    "\n"
    "chatbot archive makes requests to a chatbot answer 404, and deletes nothing; chatbot restore\n"
    "brings it back.\n"
    "\n"
    "key add prints the key, oc_live_..., on standard output, once: only its SHA-256 is stored.\n"
    "key revoke takes the key from standard input if KEY is -, which keeps it out of the process\n"
    "list.\n"
    "\n"
    "serve, chatbot add and key add make a missing SQLite file; the other commands refuse.\n"
    "\n"
    "schema print writes the SQL that makes the tables, and connects to nothing. Once someone has\n"
    "run it, no other command needs the right to create anything.\n"
    "\n"
    "Exit status: 0, 1 for a failure, 2 for a wrong command line.";

/* Options, each a bit. */
enum {
    STORE = FIRST_OPTION,
    LISTEN = 0x200,
    DEMO = 0x400,
    WORKSPACE = 0x800,
    CHATBOT = 0x1000,
    EXPIRES = 0x2000,
    ENV = 0x4000,
    HELP = 0x8000,
    VERSION = 0x10000,
    WORKERS = 0x20000,
    TIMEOUT = 0x40000,
    IDLE = 0x80000,
    MAX_ANSWER = 0x100000,
    CUSTOM_ATTRIBUTES = 0x200000,
    ACCESS_LOG = 0x400000
};

static const struct command {
    const char *words[2];              /* the second is NULL if there is only one */
    enum { NOTHING, ID, KEY } operand; /* what comes after the words */
    unsigned takes;                    /* options, besides --store and --timeout */
    unsigned needs;
    int makes; /* makes an SQLite file that is not there */
    int (*run)(bb_storage *storage, const struct options *options); /* NULL: schema_print() */
} commands[] = {
    {{"serve", NULL},
     NOTHING,
     LISTEN | DEMO | WORKERS | IDLE | MAX_ANSWER | CUSTOM_ATTRIBUTES | ACCESS_LOG,
     0,
     1,
     serve},
    {{"chatbot", "add"}, ID, WORKSPACE, WORKSPACE, 1, chatbot_add},
    {{"chatbot", "archive"}, ID, 0, 0, 0, chatbot_archive},
    {{"chatbot", "restore"}, ID, 0, 0, 0, chatbot_restore},
    {{"key", "add"}, NOTHING, WORKSPACE | CHATBOT | EXPIRES | ENV, WORKSPACE, 1, key_add},
    {{"key", "revoke"}, KEY, 0, 0, 0, key_revoke},
    {{"schema", "print"}, NOTHING, 0, 0, 0, NULL},
};

/* Reads an option's value into `options`; a wrong number is -1 there. */
static void read_value(int option, const char *value, struct options *options)
{
    if (option == STORE)
        options->store = value;
    else if (option == LISTEN)
        options->listen = value;
    else if (option == DEMO)
        options->demo = 1;
    else if (option == WORKERS)
        options->workers = parse_number(value, 0);
    else if (option == TIMEOUT)
        options->timeout = parse_number(value, 1);
    else if (option == IDLE)
        options->idle = parse_number(value, 1);
    else if (option == MAX_ANSWER)
        options->max_answer = parse_number(value, 1);
    else if (option == CUSTOM_ATTRIBUTES)
        options->custom_attributes = query_attributes(value, strlen(value));
    else if (option == ACCESS_LOG)
        options->access_log = value;
    else if (option == WORKSPACE)
        options->workspace = parse_number(value, 1);
    else if (option == CHATBOT)
        options->chatbot = parse_number(value, 1);
    else if (option == EXPIRES)
        options->expires = parse_number(value, 1);
    else if (option == ENV)
        options->env = value;
}

/* Reads the options, wherever they stand, into `options` and `given`. Returns -1 to go on, or the
 * exit status. */
static int read_options(int argc, char **argv, struct options *options, unsigned *given)
{
    static const struct option known[] = {
        {"store", required_argument, NULL, STORE},
        {"listen", required_argument, NULL, LISTEN},
        {"demo", no_argument, NULL, DEMO},
        {"workers", required_argument, NULL, WORKERS},
        {"timeout", required_argument, NULL, TIMEOUT},
        {"idle", required_argument, NULL, IDLE},
        {"max-answer", required_argument, NULL, MAX_ANSWER},
        {"custom-attributes", required_argument, NULL, CUSTOM_ATTRIBUTES},
        {"access-log", required_argument, NULL, ACCESS_LOG},
        {"workspace", required_argument, NULL, WORKSPACE},
        {"chatbot", required_argument, NULL, CHATBOT},
        {"expires", required_argument, NULL, EXPIRES},
        {"env", required_argument, NULL, ENV},
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
            return print_line("bb-contacts-server ", bb_version());
        read_value(option, optarg, options);
        *given |= (unsigned)option;
    }
    if (options->workers < 0 || options->workers > MAX_WORKERS)
        return usage_error("must be 0 to 256", "--workers");
    if (options->timeout < 1 || options->timeout > MAX_TIMEOUT)
        return usage_error("must be 1 to 86400 seconds", "--timeout");
    if (options->idle < 1 || options->idle > MAX_IDLE_SECONDS)
        return usage_error("must be 1 to 86400 seconds", "--idle");
    if (options->max_answer < 0 || options->max_answer > MAX_ANSWER_BYTES)
        return usage_error("must be 1 to 17179869184 bytes", "--max-answer");
    if (options->custom_attributes < 0)
        return usage_error("must be replace or merge", "--custom-attributes");
    if (options->workspace < 0 || options->chatbot < 0 || options->expires < 0)
        return usage_error("must be a positive number of at most 63 bits",
                           options->workspace < 0 ? "--workspace"
                           : options->chatbot < 0 ? "--chatbot"
                                                  : "--expires");
    return -1;
}

/* The command that the words begin with, or NULL; `*used` is how many belong to its name. */
static const struct command *find_command(int count, char **words, int *used)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        *used = commands[i].words[1] == NULL ? 1 : 2;
        if (count >= *used && strcmp(words[0], commands[i].words[0]) == 0 &&
            (*used == 1 || strcmp(words[1], commands[i].words[1]) == 0))
            return &commands[i];
    }
    return NULL;
}

/* Says which word is missing or wrong. */
static void no_command(int count, char **words)
{
    if (count == 0)
        usage_error("a command is needed: serve, chatbot, key or schema", "");
    else if (strcmp(words[0], "chatbot") == 0)
        usage_error("add, archive or restore is needed", words[0]);
    else if (strcmp(words[0], "key") == 0)
        usage_error("add or revoke is needed", words[0]);
    else if (strcmp(words[0], "schema") == 0)
        usage_error("print is needed", words[0]);
    else
        usage_error("not a command", words[0]);
}

/* Finds the command and checks its words and options. Says what is wrong and returns NULL, if
 * something is. */
static const struct command *read_command(int count, char **words, unsigned given,
                                          struct options *options)
{
    int used;
    const struct command *command = find_command(count, words, &used);
    int wanted = command == NULL || command->operand == NOTHING ? used : used + 1;

    if (command == NULL)
        no_command(count, words);
    else if (count != wanted)
        usage_error(count < wanted ? "too few words" : "too many words", words[0]);
    else if ((given & ~command->takes & ~(unsigned)(STORE | TIMEOUT)) != 0)
        usage_error("takes no such option", words[0]);
    else if ((command->needs & ~given) != 0)
        usage_error("--workspace is needed", words[0]);
    else if (command->operand == ID && parse_number(words[used], 1) < 0)
        usage_error("ID is a positive number of at most 63 bits", words[0]);
    else {
        if (command->operand == ID)
            options->chatbot = parse_number(words[used], 1);
        if (command->operand == KEY)
            options->key = words[used];
        return command;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct options options = {.store = "sqlite:bb-contacts.db",
                              .listen = "127.0.0.1:8080",
                              .workers = DEFAULT_WORKERS,
                              .timeout = DEFAULT_TIMEOUT,
                              .idle = IDLE_SECONDS};
    const struct command *command;
    bb_storage *storage = NULL;
    unsigned given = 0;
    int status;

    status = read_options(argc, argv, &options, &given);
    if (status >= 0)
        return status;
    command = read_command(argc - optind, argv + optind, given, &options);
    if (command == NULL)
        return EXIT_USAGE;
    if (command->run == NULL)
        return schema_print(options.store);
    if (strcmp(options.store, "memory:") == 0 && command->run != serve)
        return usage_error("memory: ends with this command", "--store");
    status = store_open(options.store, command->makes, options.timeout * 1000, &storage);
    if (status != EXIT_SUCCESS)
        return status;
    status = command->run(storage, &options);
    bb_storage_close(storage);
    return status;
}
