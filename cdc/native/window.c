/* Sets of fingerprints with open addressing: a table has a power of two of places, a fingerprint of zeros is an empty one. */
#include "kernel.h"

#define AHEAD 8 /* a place is far from the processor until it is asked for */

static bool is_empty(const struct print *print) { return print->low == 0 && print->high == 0; }

/* Returns the place of a fingerprint, or the empty one where it would stand. */
static struct print *place_of(struct print *table, uint64_t mask, const struct print *print)
{
    uint64_t at = print->low & mask;
    while (!is_empty(&table[at]) && (table[at].low != print->low || table[at].high != print->high))
        at = (at + 1) & mask;
    return &table[at];
}

/* Adds to `young` what is in neither table. Returns the number of places (in `fresh`) that held something new: those and all
 * that are zeros, which equal nothing. Each table keeps an empty place if the caller lets none be filled. */
int32_t cassmirror_add(struct print *young, struct print *old, uint64_t mask, const struct print *prints, int32_t count,
                       int32_t *fresh)
{
    int32_t found = 0;
    for (int32_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            __builtin_prefetch(&young[prints[i + AHEAD].low & mask]);
            __builtin_prefetch(&old[prints[i + AHEAD].low & mask]);
        }
        if (!is_empty(&prints[i])) {
            struct print *place = place_of(young, mask, &prints[i]);
            if (!is_empty(place) || !is_empty(place_of(old, mask, &prints[i])))
                continue;
            *place = prints[i];
        }
        fresh[found++] = i;
    }
    return found;
}

/* Removes a fingerprint, and moves up what stands behind it because its own place was taken. */
void cassmirror_remove(struct print *table, uint64_t mask, const struct print *print)
{
    struct print *hole = place_of(table, mask, print);
    if (is_empty(print) || is_empty(hole))
        return;
    uint64_t empty = (uint64_t)(hole - table);
    for (uint64_t at = (empty + 1) & mask; !is_empty(&table[at]); at = (at + 1) & mask) {
        uint64_t home = table[at].low & mask;
        if (((at - home) & mask) >= ((at - empty) & mask)) {
            table[empty] = table[at];
            empty = at;
        }
    }
    table[empty] = (struct print){0, 0};
}
