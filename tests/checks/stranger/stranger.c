/*
 * stranger.c: the smallest program that serves a request; C and C++. See strangers.sh.
 *
 *     stranger URI          serves one with the storage URI, and prints the answer
 *     stranger --version    prints the version of the library that is loaded
 */
#include <bb_contacts/backends.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static const char body[] = "{\"users\":[{\"external_id\":\"user_8821\"}]}";
    bb_storage *storage = NULL;
    bb_contacts *contacts = NULL;
    bb_principal principal;
    bb_request request;
    bb_error error;
    bb_result *result;
    int status;

    if (argc != 2)
        return 2;
    if (strcmp(argv[1], "--version") == 0)
        return puts(bb_version()) < 0;
    bb_error_init(&error);
    if (bb_storage_open(argv[1], strlen(argv[1]), NULL, &storage, &error) != BB_OK ||
        bb_storage_migrate(storage, 0, &error) != BB_OK ||
        bb_storage_chatbot_add(storage, 123, 1, 0, &error) != BB_OK ||
        bb_contacts_open(storage, NULL, &contacts, &error) != BB_OK) {
        fprintf(stderr, "%s: %s\n", bb_code_name(error.code), error.message);
        bb_storage_close(storage);
        return 1;
    }
    bb_principal_init(&principal);
    principal.workspace_id = 1;
    bb_request_init(&request);
    request.chatbot_id = "123";
    request.chatbot_id_len = 3;
    request.principal = &principal;
    request.body = body;
    request.body_len = sizeof body - 1;
    result = bb_contacts_upsert(contacts, &request);
    status = bb_result_http_status(result);
    puts(bb_result_body(result, NULL));
    bb_result_free(result);
    bb_contacts_close(contacts);
    bb_storage_close(storage);
    return status == 200 ? 0 : 1;
}
