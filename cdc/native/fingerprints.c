// Hashes of events that leave out what differs between the copies of one: `ts_ms`, `source.file` and `source.pos`.
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// 128 bits of xxHash, as `XXH128_hash_t` holds them.
typedef struct {
    uint64_t low, high;
} print;

// `XXH3_128bits_withSeed`: bytes, their number, seed.
typedef print hash_128(const void *, size_t, uint64_t);

#define LENGTH(literal) (sizeof(literal) - 1)
#define TS_MS "{\"ts_ms\":"
#define TS_MS_DIGITS 13  // milliseconds, until the year 2286
#define SOURCE ",\"op\":\"?\",\"source\":{"
#define OP_LETTER 7
#define FILE_NAME ",\"file\":\""
#define POS "\",\"pos\":"
#define KEYSPACE ",\"keyspace\":\""
#define LONGEST_HEAD 4096
#define LONGEST_POS 19  // digits of a 64-bit number

typedef struct {
    const char *at, *end;
} text;

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static int takes(text *rest, const char *literal, size_t length) {
    if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, literal, length) != 0) return 0;
    rest->at += length;
    return 1;
}

static int digits(text *rest, int most) {
    int count = 0;
    while (count < most && rest->at < rest->end && is_digit(*rest->at)) rest->at++, count++;
    return count;
}

static const char *find(const char *at, const char *end, const char *literal, size_t length) {
    return memmem(at, (size_t)(end - at), literal, length);
}

static int has(const char *at, const char *end, char octet) { return memchr(at, octet, (size_t)(end - at)) != NULL; }

// With `schemas.enable` the event stands behind its schema, in which no quote stands unescaped inside a text.
static text payload_of(const char *value, size_t length) {
    text whole = {value, value + length}, rest = whole;
    if (takes(&rest, "{\"schema\"", 9)) {
        const char *payload = find(rest.at, rest.end, ",\"payload\":" TS_MS, LENGTH(",\"payload\":" TS_MS));
        if (payload != NULL && rest.end[-1] == '}')
            whole = (text){payload + LENGTH(",\"payload\":"), rest.end - 1};
    }
    return whole;
}

// The fields of the source come from where no brace has been closed yet, so they are its own and not part of a value.
static int fingerprint(const char *value, size_t length, uint64_t seed, hash_128 *hash, print *into) {
    char buffer[LONGEST_HEAD + sizeof(print)];
    text rest = payload_of(value, length);
    if (!takes(&rest, TS_MS, LENGTH(TS_MS)) || digits(&rest, TS_MS_DIGITS) != TS_MS_DIGITS) return 0;
    const char *head = rest.at;
    if (!takes(&rest, SOURCE, OP_LETTER) || rest.at == rest.end || !is_letter(*rest.at++)) return 0;
    if (!takes(&rest, &SOURCE[OP_LETTER + 1], LENGTH(SOURCE) - OP_LETTER - 1)) return 0;

    const char *limit = rest.end - rest.at > LONGEST_HEAD / 2 ? rest.at + LONGEST_HEAD / 2 : rest.end;
    const char *file = find(rest.at, limit, FILE_NAME, LENGTH(FILE_NAME));
    if (file == NULL || has(rest.at, file, '{') || has(rest.at, file, '}')) return 0;
    rest.at = file + LENGTH(FILE_NAME);
    const char *quote = memchr(rest.at, '"', (size_t)(rest.end - rest.at));
    if (quote == NULL || has(rest.at, quote, '\\')) return 0;
    rest.at = quote;
    if (!takes(&rest, POS, LENGTH(POS))) return 0;
    takes(&rest, "-", 1);
    if (digits(&rest, LONGEST_POS) == 0 || !takes(&rest, KEYSPACE, LENGTH(KEYSPACE))) return 0;

    print tail = hash(rest.at, (size_t)(rest.end - rest.at), seed);
    size_t size = (size_t)(file - head);
    memcpy(buffer, head, size);
    memcpy(buffer + size, &tail, sizeof tail);
    *into = hash(buffer, size + sizeof tail, seed);
    return 1;
}

// Fills `prints` with one for each of the `count` values; all zero is that of an event with another layout.
void cassmirror_fingerprints(
    const char *const *values, const size_t *lengths, int32_t count, uint64_t seed, hash_128 *hash, print *prints) {
    for (int32_t i = 0; i < count; i++) {
        if (values[i] == NULL || !fingerprint(values[i], lengths[i], seed, hash, &prints[i]))
            prints[i] = (print){0, 0};
    }
}
