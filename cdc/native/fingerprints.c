/* Hashes of events without what differs between the copies of one: `ts_ms`, `source.file` and `source.pos`. */
#define _GNU_SOURCE
#include "kernel.h"

#define TS_MS_DIGITS 13 /* milliseconds, until the year 2286 */
#define LONGEST_HEAD 2048
#define PAYLOAD ",\"payload\":"
#define BEGIN "{\"ts_ms\":"
#define FILE_NAME ",\"file\":\""

/* `XXH3_128bits_withSeed`: bytes, their number, seed. */
typedef struct print hash_128(const void *, size_t, uint64_t);

static const char *find(const char *at, const char *end, const char *literal, size_t length)
{
    return memmem(at, (size_t)(end - at), literal, length);
}

static bool has(const char *at, const char *end, char octet) { return memchr(at, octet, (size_t)(end - at)) != NULL; }

static bool take_digits(struct scan *scan, int least, int most)
{
    int count = 0;
    while (count < most && scan->at < scan->end && is_digit(*scan->at))
        scan->at++, count++;
    return count >= least;
}

static bool take_letter(struct scan *scan)
{
    char letter = scan->at < scan->end ? *scan->at++ | 0x20 : '\0';
    return letter >= 'a' && letter <= 'z';
}

/* With `schemas.enable` the event stands behind its schema, in which no quote stands unescaped inside a text. */
static void unwrap(struct scan *scan)
{
    struct scan whole = *scan;
    if (!TAKE(scan, "{\"schema\""))
        return;
    const char *payload = find(scan->at, scan->end, PAYLOAD BEGIN, sizeof(PAYLOAD BEGIN) - 1);
    *scan = whole;
    if (payload != NULL && scan->end[-1] == '}') {
        scan->at = payload + sizeof(PAYLOAD) - 1;
        scan->end--;
    }
}

/* Takes up to the name of the log's file. No brace is closed before it, so it is the source's own and not part of a value. */
static bool take_to_file(struct scan *scan)
{
    const char *limit = scan->end - scan->at > LONGEST_HEAD ? scan->at + LONGEST_HEAD : scan->end;
    const char *file = find(scan->at, limit, FILE_NAME, sizeof(FILE_NAME) - 1);
    if (file == NULL || has(scan->at, file, '{') || has(scan->at, file, '}'))
        return false;
    scan->at = file;
    return true;
}

/* Takes a string without escapes from behind its first quote to before its last. */
static bool take_rest_of_string(struct scan *scan)
{
    const char *from = scan->at, *quote = memchr(from, '"', (size_t)(scan->end - from));
    if (quote == NULL || has(from, quote, '\\'))
        return false;
    scan->at = quote;
    return true;
}

static bool fingerprint(struct scan scan, uint64_t seed, hash_128 *hash, struct print *into)
{
    unwrap(&scan);
    if (!TAKE(&scan, BEGIN) || !take_digits(&scan, TS_MS_DIGITS, TS_MS_DIGITS))
        return false;
    const char *head = scan.at;
    if (!TAKE(&scan, ",\"op\":\"") || !take_letter(&scan) || !TAKE(&scan, "\",\"source\":{") || !take_to_file(&scan))
        return false;
    size_t head_size = (size_t)(scan.at - head);
    if (!TAKE(&scan, FILE_NAME) || !take_rest_of_string(&scan) || !TAKE(&scan, "\",\"pos\":"))
        return false;
    TAKE(&scan, "-");
    if (!take_digits(&scan, 1, 19) || !TAKE(&scan, ",\"keyspace\":\""))
        return false;

    struct print tail = hash(scan.at, (size_t)(scan.end - scan.at), seed);
    char both[2 * LONGEST_HEAD];
    memcpy(both, head, head_size);
    memcpy(both + head_size, &tail, sizeof tail);
    *into = hash(both, head_size + sizeof tail, seed);
    return true;
}

/* Fills `prints` with one for each of the `count` values (NULL: none); all zero is that of an event with another layout. */
void cassmirror_fingerprints(const char *const *values, const size_t *lengths, int32_t count, uint64_t seed, hash_128 *hash,
                             struct print *prints)
{
    for (int32_t i = 0; i < count; i++) {
        struct scan scan = {.at = values[i], .end = values[i] + lengths[i]};
        if (lengths[i] == 0 || !fingerprint(scan, seed, hash, &prints[i]))
            prints[i] = (struct print){0, 0};
    }
}
