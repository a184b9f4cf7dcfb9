/*
 * body.h: the body's bytes become a list of entries, or a refusal with its issues: sections C, D.
 */
#ifndef BB_BODY_H
#define BB_BODY_H

#include "request/issues.h"
#include "request/status.h"
#include "util/arena.h"
#include "util/fields.h"
#include "json/compact.h"

/* One element of the array, checked. */
typedef struct bb_entry {
    bb_slice text;        /* as it was sent */
    bb_slice external_id; /* null if one must be made */
    uint32_t fields;      /* which of the values the entry sends: BB_FIELD_... */
    uint32_t nulls;       /* which of these it sends as null */
    union {               /* text or null; or compact JSON, with "[]" or "{}" for null */
        bb_slice value[BB_FIELD_COUNT];
        struct {
#define XX(name, NAME, KIND) bb_slice name;
            BB_FIELD_MAP(XX)
#undef XX
        };
    };
} bb_entry;

/* What the stage must know. */
typedef struct bb_body_limits {
    size_t max_entry_bytes;
    uint32_t max_depth;
    bb_json_limits json;
} bb_body_limits;

/* What it makes. All of it lives in the arena and in the body's own bytes. */
typedef struct bb_body {
    bb_entry *entries;
    size_t count;
    const char *root; /* the array's name: "users" or "contacts" (C2) */
} bb_body;

/*
 * BB_STATUS_SUCCESS with entries; BB_STATUS_INVALID_DATA, with issues if entries are at fault;
 * BB_STATUS_TOO_MANY_CONTACTS; BB_FAULT(BB_ERR_NOMEM) if memory ran out.
 */
int32_t bb_body_read(bb_slice text, const bb_body_limits *limits, bb_arena *arena,
                     bb_issues *issues, bb_body *body);

#endif
