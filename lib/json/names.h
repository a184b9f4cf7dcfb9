/*
 * names.h: the names of an object's members, and which of them are repeated (C4).
 */
#ifndef BB_JSON_NAMES_H
#define BB_JSON_NAMES_H

#include "util/slice.h"
#include "json/walk.h"

/* A member: its decoded name, and what its user needs to find it again. */
typedef struct bb_json_member {
    bb_slice name;
    size_t at;
} bb_json_member;

/* A stack of members: those of an open object lie above those of the objects around it. */
typedef struct bb_json_members {
    bb_allocator allocator;
    bb_arena *arena; /* for decoded names */
    bb_json_member *list;
    size_t count;
    size_t capacity;
} bb_json_members;

void bb_json_members_init(bb_json_members *members, const bb_allocator *allocator, bb_arena *arena);
void bb_json_members_free(bb_json_members *members);

/* A name's characters: a part of the text itself if nothing in it is escaped, otherwise a copy in
 * the arena. `quoted` is in quotes. BB_OK, or BB_ERR_NOMEM. */
int32_t bb_json_name(bb_arena *arena, bb_slice quoted, bb_slice *name);

/* Adds a member. `name` is in quotes. BB_OK, or BB_ERR_NOMEM. */
int32_t bb_json_members_push(bb_json_members *members, bb_slice name, size_t at);

/*
 * Finds repeated names among the members from `first` on. If there are any, sets *repeated to 1 and
 * the name of each member that a later one overrides to null; otherwise sets *repeated to 0. BB_OK,
 * or BB_ERR_NOMEM.
 */
int32_t bb_json_members_drop_repeated(bb_json_members *members, size_t first, int *repeated);

#endif
