/*
 * struct_type.h: the structs that begin with their size, and the sizes that they have had.
 */
#ifndef BB_UTIL_STRUCT_TYPE_H
#define BB_UTIL_STRUCT_TYPE_H

#include "bb_contacts/backends.h"
#include "bb_contacts/storage.h"

/*
 * The structs as version 0.1 released them: XX(type, its last member then, its size then with
 * 64-bit pointers). These sizes are accepted for ever, so a line never changes. A later struct gets
 * a line that says how it was first released, as bb_result_view and bb_change.
 */
#define BB_FIRST_RELEASE_MAP(XX)             \
    XX(bb_error, message, 272)               \
    XX(bb_storage_options, log_ctx, 32)      \
    XX(bb_postgres_options, flags, 128)      \
    XX(bb_key_options, random_ctx, 80)       \
    XX(bb_config, max_group_bytes, 136)      \
    XX(bb_principal, chatbot_id, 24)         \
    XX(bb_request, timeout_ms, 88)           \
    XX(bb_stats, queued_bytes, 496)          \
    XX(bb_record, custom_attributes, 112)    \
    XX(bb_access, deadline, 56)              \
    XX(bb_contact, custom_attributes, 128)   \
    XX(bb_write, put_ctx, 48)                \
    XX(bb_write_group, deadline, 48)         \
    XX(bb_key_record, now_us, 48)            \
    XX(bb_result_view, unchanged, 80)        \
    XX(bb_completions_options, reserved, 16) \
    XX(bb_completion, line, 808)             \
    XX(bb_storage_vtable, write_group, 120)  \
    XX(bb_change, reserved, 72)

/* The offset after the last byte of a member. */
#define BB_END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/* One type of these, in two versions. */
typedef struct bb_struct_type {
    const char *name;
    size_t first_size; /* in its first release */
    size_t size;       /* as this library knows it */
} bb_struct_type;

/* bb_config_type and so on. */
#define XX(type, last, bytes) extern const bb_struct_type type##_type;
BB_FIRST_RELEASE_MAP(XX)
#undef XX

/* The size that a struct says it has. */
size_t bb_struct_size(const void *given);

/* Whether a struct has the size of some version, so that the members of the first one can be
 * used. */
int bb_struct_is_known(const bb_struct_type *type, const void *given);

#endif
