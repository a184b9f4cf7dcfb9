/*
 * path.h: a place in a JSON text.
 */
#ifndef BB_JSON_PATH_H
#define BB_JSON_PATH_H

#include "bb_contacts/storage.h"

/* A chain from the innermost step to the outermost. */
typedef struct bb_json_path {
    const struct bb_json_path *outer; /* NULL for the first step */
    bb_slice name;                    /* a member's name as it is spelled, without the quotes; */
    size_t index;                     /* or, if the name is null, an element's index */
} bb_json_path;

#endif
