/* Strings of JSON: UTF-8 and escapes in, text for COPY out. */
#include "kernel.h"

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Tells of eight bytes whether one is a control character, a quote, a backslash or not ASCII. */
static bool has_special(uint64_t bytes)
{
    uint64_t quote = bytes ^ (EACH_BYTE * '"'), backslash = bytes ^ (EACH_BYTE * '\\');
    uint64_t found = (bytes - EACH_BYTE * 0x20) | (quote - EACH_BYTE) | (backslash - EACH_BYTE) | bytes;
    return (found & HIGH_BITS) != 0;
}

static bool is_tail(unsigned char c) { return (c & 0xC0) == 0x80; }

/* Returns the length of the character of UTF-8 that is not ASCII at the beginning, 0 where there is none. */
static int character_length(const char *text, const char *end)
{
    const unsigned char *c = (const unsigned char *)text;
    ptrdiff_t left = end - text;
    if (c[0] >= 0xC2 && c[0] <= 0xDF)
        return left >= 2 && is_tail(c[1]) ? 2 : 0;
    if (c[0] >= 0xE0 && c[0] <= 0xEF) {
        if (left < 3 || !is_tail(c[1]) || !is_tail(c[2]))
            return 0;
        bool overlong = c[0] == 0xE0 && c[1] < 0xA0, surrogate = c[0] == 0xED && c[1] > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (c[0] < 0xF0 || c[0] > 0xF4 || left < 4 || !is_tail(c[1]) || !is_tail(c[2]) || !is_tail(c[3]))
        return 0;
    bool overlong = c[0] == 0xF0 && c[1] < 0x90, beyond = c[0] == 0xF4 && c[1] > 0x8F;
    return overlong || beyond ? 0 : 4;
}

/* Takes the characters up to a quote or a backslash; puts them if `puts`. */
static inline bool take_characters(struct scan *scan, bool puts)
{
    const char *at = scan->at, *from = at;
    for (;;) {
        uint64_t bytes;
        while (scan->end - at >= 8 && (memcpy(&bytes, at, 8), !has_special(bytes)))
            at += 8;
        while (at < scan->end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
            at++;
        if (at == scan->end || (unsigned char)*at < 0x20)
            return false;
        if ((unsigned char)*at < 0x80)
            break;
        int length = character_length(at, scan->end);
        if (length == 0)
            return false;
        at += length;
    }
    scan->at = at;
    return !puts || put(scan, from, (size_t)(at - from));
}

bool skip_string(struct scan *scan) { return TAKE(scan, "\"") && take_characters(scan, false) && TAKE(scan, "\""); }

/* Takes four hexadecimal digits; returns -1 where they are not there. */
static int32_t take_unit(struct scan *scan)
{
    if (scan->end - scan->at < 4)
        return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = *scan->at++, letter = c | 0x20;
        if (!is_digit(c) && !(letter >= 'a' && letter <= 'f'))
            return -1;
        unit = unit * 16 + (is_digit(c) ? c - '0' : letter - 'a' + 10);
    }
    return unit;
}

static bool put_ascii(struct scan *scan, char c)
{
    switch (c) {
    case '\t':
        return put(scan, "\\t", 2);
    case '\n':
        return put(scan, "\\n", 2);
    case '\r':
        return put(scan, "\\r", 2);
    case '\\':
        return put(scan, "\\\\", 2);
    default:
        return put(scan, &c, 1);
    }
}

static bool put_character(struct scan *scan, int32_t code)
{
    if (code < 0x80)
        return put_ascii(scan, (char)code);
    int tails = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *scan->out++ = (char)((0xFF00 >> (tails + 1)) | (code >> (6 * tails)));
    while (tails-- > 0)
        *scan->out++ = (char)(0x80 | ((code >> (6 * tails)) & 0x3F));
    return true;
}

/* Takes what stands behind \u. U+0000 and half a pair are in no PostgreSQL text. */
static bool escaped_unit(struct scan *scan)
{
    int32_t code = take_unit(scan);
    if (code <= 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
        int32_t low = TAKE(scan, "\\u") ? take_unit(scan) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return put_character(scan, code);
}

static bool escape(struct scan *scan)
{
    static const char names[] = "\"\\/bfnrtu", characters[] = "\"\\/\b\f\n\r\t";
    const char *found = scan->at < scan->end ? memchr(names, *scan->at, sizeof names - 1) : NULL;
    if (found == NULL)
        return false;
    scan->at++;
    return *found == 'u' ? escaped_unit(scan) : put_ascii(scan, characters[found - names]);
}

bool take_text(struct scan *scan)
{
    if (!TAKE(scan, "\""))
        return false;
    while (take_characters(scan, true)) {
        if (*scan->at++ == '"')
            return true;
        if (!escape(scan))
            return false;
    }
    return false;
}
