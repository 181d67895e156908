/* Values of CQL types: the connector's JSON in, PostgreSQL's text out. Each is what `cdc.types` makes of it, or is refused. */
#include "kernel.h"

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* ---- integers ---- */

bool take_integer(struct scan *scan, int64_t *value)
{
    bool negative = TAKE(scan, "-");
    const char *from = scan->at;
    scan->at = skip_digits(from, scan->end);
    ptrdiff_t digits = scan->at - from;
    if (digits < 1 || digits > 19 || (*from == '0' && (digits > 1 || negative)))
        return false;
    uint64_t magnitude = 0;
    while (from < scan->at)
        magnitude = magnitude * 10 + (uint64_t)(*from++ - '0');
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

static bool integer_within(struct scan *scan, int64_t lowest, int64_t highest)
{
    const char *from = scan->at;
    int64_t value;
    return take_integer(scan, &value) && value >= lowest && value <= highest && put(scan, from, (size_t)(scan->at - from));
}

static bool tinyint(struct scan *scan) { return integer_within(scan, INT8_MIN, INT8_MAX); }
static bool smallint(struct scan *scan) { return integer_within(scan, INT16_MIN, INT16_MAX); }
static bool integer(struct scan *scan) { return integer_within(scan, INT32_MIN, INT32_MAX); }
static bool bigint(struct scan *scan) { return integer_within(scan, INT64_MIN, INT64_MAX); }

static bool boolean(struct scan *scan)
{
    return TAKE(scan, "true") ? put(scan, "t", 1) : TAKE(scan, "false") && put(scan, "f", 1);
}

/* ---- numbers in plain notation ---- */

struct number {
    const char *whole; /* behind the sign */
    const char *fraction;
    const char *end;
    bool negative;
};

static bool take_number(struct scan *scan, struct number *number)
{
    number->negative = TAKE(scan, "-");
    number->whole = scan->at;
    scan->at = skip_digits(scan->at, scan->end);
    ptrdiff_t digits = scan->at - number->whole;
    if (digits < 1 || (digits > 1 && *number->whole == '0'))
        return false;
    number->fraction = number->end = scan->at;
    if (!TAKE(scan, "."))
        return true;
    number->fraction = scan->at;
    number->end = scan->at = skip_digits(scan->at, scan->end);
    return number->end > number->fraction;
}

static bool has_fraction(const struct number *number) { return number->fraction < number->end; }

static ptrdiff_t digits_of(const struct number *number) { return number->end - number->whole - has_fraction(number); }

static bool is_negative_zero(const struct number *number) { return number->negative && *number->whole == '0'; }

static bool numeric(struct scan *scan, struct number *number)
{
    if (!TAKE(scan, "\""))
        return false;
    const char *from = scan->at;
    return take_number(scan, number) && number->end - from < 16000 && put(scan, from, (size_t)(number->end - from)) &&
           TAKE(scan, "\"");
}

static bool decimal(struct scan *scan)
{
    struct number number;
    return numeric(scan, &number);
}

static bool decimal_key(struct scan *scan)
{
    struct number number;
    return numeric(scan, &number) && (has_fraction(&number) ? number.end[-1] != '0' : !is_negative_zero(&number));
}

static bool varint(struct scan *scan)
{
    struct number number;
    return numeric(scan, &number) && !has_fraction(&number) && !is_negative_zero(&number);
}

/* ---- floating point: only what surely is finite and normal, and as Java writes it: with a fraction ---- */

static bool take_exponent(struct scan *scan, int limit)
{
    if (!TAKE(scan, "e") && !TAKE(scan, "E"))
        return true;
    if (!TAKE(scan, "-"))
        TAKE(scan, "+");
    int exponent = 0;
    const char *from = scan->at;
    while (scan->at < scan->end && is_digit(*scan->at) && exponent <= limit)
        exponent = exponent * 10 + (*scan->at++ - '0');
    return scan->at > from && exponent <= limit;
}

static bool floating(struct scan *scan, ptrdiff_t max_digits, int max_exponent)
{
    const char *from = scan->at;
    struct number number;
    return take_number(scan, &number) && has_fraction(&number) && digits_of(&number) <= max_digits &&
           take_exponent(scan, max_exponent) && put(scan, from, (size_t)(scan->at - from));
}

/* Takes what Python's repr writes of a number of so few digits that no two of them are one. */
static bool floating_key(struct scan *scan, ptrdiff_t max_digits)
{
    const char *from = scan->at;
    struct number number;
    if (!take_number(scan, &number) || !has_fraction(&number) || digits_of(&number) > max_digits)
        return false;
    ptrdiff_t fraction = number.end - number.fraction;
    if (number.end[-1] == '0' && (fraction > 1 || is_negative_zero(&number)))
        return false;
    if (*number.whole == '0' && fraction > 4 && memcmp(number.fraction, "0000", 4) == 0)
        return false;
    return put(scan, from, (size_t)(number.end - from));
}

/* A float of up to 15 digits is the same whether its text or that of the double is rounded to it. */
static bool single(struct scan *scan) { return floating(scan, 15, 20); }
static bool single_key(struct scan *scan) { return floating_key(scan, 6); }
static bool double_precision(struct scan *scan) { return floating(scan, 20, 250); }
static bool double_precision_key(struct scan *scan) { return floating_key(scan, 15); }

/* ---- the calendar ---- */

#define MS_PER_DAY INT64_C(86400000)
#define US_PER_DAY INT64_C(86400000000)
#define FIRST_DAY INT64_C(-719162) /* 0001-01-01 */
#define LAST_DAY INT64_C(2932896)  /* 9999-12-31 */

static bool put_digits(struct scan *scan, int64_t value, int width, char behind)
{
    for (int place = width - 1; place >= 0; place--, value /= 10)
        scan->out[place] = (char)('0' + value % 10);
    scan->out[width] = behind;
    scan->out += width + (behind != 0);
    return true;
}

/* Of the years 1 to 9999; the way of `cdc.types.calendar`. */
static bool put_date(struct scan *scan, int64_t days, char behind)
{
    int32_t day = (int32_t)days + 719468; /* from March 1 of year 0, where no day is negative */
    int32_t era = day / 146097, day_of_era = day % 146097;
    int32_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int32_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int32_t shifted = (5 * day_of_year + 2) / 153;
    int32_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    return put_digits(scan, year + era * 400 + (month <= 2), 4, '-') && put_digits(scan, month, 2, '-') &&
           put_digits(scan, day_of_year - (153 * shifted + 2) / 5 + 1, 2, behind);
}

static bool put_clock(struct scan *scan, int64_t seconds)
{
    return put_digits(scan, seconds / 3600, 2, ':') && put_digits(scan, seconds / 60 % 60, 2, ':') &&
           put_digits(scan, seconds % 60, 2, '.');
}

static bool date(struct scan *scan)
{
    int64_t days;
    return take_integer(scan, &days) && days >= FIRST_DAY && days <= LAST_DAY && put_date(scan, days, 0);
}

static bool timestamp(struct scan *scan)
{
    int64_t ms;
    if (!take_integer(scan, &ms) || ms < FIRST_DAY * MS_PER_DAY || ms >= (LAST_DAY + 1) * MS_PER_DAY)
        return false;
    int64_t from_first = ms - FIRST_DAY * MS_PER_DAY, of_day = from_first % MS_PER_DAY;
    return put_date(scan, from_first / MS_PER_DAY + FIRST_DAY, ' ') && put_clock(scan, of_day / 1000) &&
           put_digits(scan, of_day % 1000, 3, '+') && put(scan, "00", 2);
}

/* Nanoseconds are refused: they are lost, which is counted. */
static bool time_of_day(struct scan *scan)
{
    int64_t ns;
    if (!take_integer(scan, &ns) || ns < 0 || ns % 1000 != 0 || ns / 1000 >= US_PER_DAY)
        return false;
    int64_t us = ns / 1000;
    return put_clock(scan, us / 1000000) && put_digits(scan, us % 1000000, 6, 0);
}

/* ---- values that are strings of a fixed notation ---- */

static bool uuid(struct scan *scan)
{
    if (scan->end - scan->at < 38 || scan->at[0] != '"' || scan->at[37] != '"')
        return false;
    const char *from = scan->at + 1;
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? from[i] != '-' : !is_digit(from[i]) && !(from[i] >= 'a' && from[i] <= 'f'))
            return false;
    }
    scan->at += 38;
    return put(scan, from, 36);
}

static bool take_octet(struct scan *scan)
{
    const char *from = scan->at;
    int octet = 0;
    while (scan->at < scan->end && is_digit(*scan->at) && scan->at - from < 3)
        octet = octet * 10 + (*scan->at++ - '0');
    return scan->at > from && octet <= 255 && !(*from == '0' && scan->at - from > 1);
}

/* Only version 4: Java writes version 6 otherwise than PostgreSQL. */
static bool inet(struct scan *scan)
{
    if (!TAKE(scan, "\"/"))
        return false;
    const char *from = scan->at;
    for (int i = 0; i < 4; i++)
        if ((i > 0 && !TAKE(scan, ".")) || !take_octet(scan))
            return false;
    return put(scan, from, (size_t)(scan->at - from)) && TAKE(scan, "\"");
}

/* Returns the value of a digit of base 64, -1 where it is none. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Takes four digits, of which the last two may be padding, and puts up to three bytes. */
static bool base64_group(struct scan *scan, bool *is_last)
{
    static const char hex[] = "0123456789abcdef";
    if (scan->end - scan->at < 4)
        return false;
    int padding = (scan->at[3] == '=') + (scan->at[3] == '=' && scan->at[2] == '='), bits = 0;
    for (int i = 0; i < 4; i++) {
        int digit = i < 4 - padding ? base64_digit(scan->at[i]) : 0;
        if (digit < 0)
            return false;
        bits = bits << 6 | digit;
    }
    if ((bits & ((1 << (8 * padding)) - 1)) != 0)
        return false;
    for (int nibble = 5; nibble >= 2 * padding; nibble--)
        *scan->out++ = hex[bits >> (4 * nibble) & 0xF];
    scan->at += 4;
    *is_last = padding > 0;
    return true;
}

static bool blob(struct scan *scan)
{
    bool is_last = false;
    if (!TAKE(scan, "\""))
        return false;
    put(scan, "\\\\x", 3);
    while (!TAKE(scan, "\""))
        if (is_last || !base64_group(scan, &is_last))
            return false;
    return true;
}

const struct value_kind value_kinds[] = {
    {"tinyint", tinyint, tinyint},
    {"smallint", smallint, smallint},
    {"int", integer, integer},
    {"bigint", bigint, bigint},
    {"text", take_text, take_text},
    {"varchar", take_text, take_text},
    {"ascii", take_text, take_text},
    {"boolean", boolean, boolean},
    {"uuid", uuid, uuid},
    {"timeuuid", uuid, uuid},
    {"timestamp", timestamp, timestamp},
    {"date", date, date},
    {"time", time_of_day, time_of_day},
    {"decimal", decimal, decimal_key},
    {"varint", varint, varint},
    {"float", single, single_key},
    {"double", double_precision, double_precision_key},
    {"inet", inet, inet},
    {"blob", blob, blob},
};
const int value_kind_count = sizeof value_kinds / sizeof *value_kinds;
