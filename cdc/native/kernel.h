/* What the parts in C have in common. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A fingerprint: 128 bits of xxHash, as `XXH128_hash_t` holds them. */
struct print {
    uint64_t low, high;
};

/* A place in an event's JSON, and where the text made of it is put. Each function that takes a scan moves both on, and returns
 * false where the JSON is not what it looks for; both then stand anywhere. */
struct scan {
    const char *at;
    const char *end;
    char *out;
};

static inline bool take(struct scan *scan, const char *literal, size_t length)
{
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, literal, length) != 0)
        return false;
    scan->at += length;
    return true;
}

#define TAKE(scan, literal) take(scan, literal, sizeof(literal) - 1)

static inline bool put(struct scan *scan, const char *text, size_t length)
{
    memcpy(scan->out, text, length);
    scan->out += length;
    return true;
}

static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Takes an integer as JSON writes it, but not -0, of 64 bits. */
bool take_integer(struct scan *scan, int64_t *value);

/* Takes a JSON string without escapes; puts nothing. */
bool skip_string(struct scan *scan);

/* Takes a value of a CQL type as the connector writes it, and puts PostgreSQL's text, escaped for COPY. Of n bytes it makes
 * at most 3n/2 + 30, and it may write one byte more. */
typedef bool value_function(struct scan *scan);

struct value_kind {
    const char *name;
    value_function *cell;
    value_function *key; /* refuses what is not one-to-one */
};

/* Takes any JSON string that PostgreSQL's text can hold. */
value_function take_text;

extern const struct value_kind value_kinds[];
extern const int value_kind_count;
