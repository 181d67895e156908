/* Plain events to lines of COPY text.
 *
 * A program, made once for each table, says what stands in an event from its first byte to its last. What differs in any way
 * is not plain, and left to others: so nothing here judges, and any JSON that is taken is taken for what it is. */
#include "kernel.h"

enum code { END, LITERAL, OPTIONAL, INTEGER, STRING, OPERATION, WRITE_TS, KEY, CELL };

/* Takes `text`, then what `code` says. Of an OPTIONAL the text may be missing. */
struct op {
    const char *text;
    int32_t length;
    int32_t code;
    int32_t kind;     /* of KEY and CELL: place in value_kinds */
    int32_t position; /* of CELL: place among the regular columns */
};

/* As `place` of runtime/kafka/messages.c. */
struct place {
    int64_t offset, timestamp_ms, key_at, key_size, value_at, value_size;
};

struct row {
    struct scan scan;
    const char *write_ts_text;
    size_t write_ts_length;
    int64_t write_ts;
    uint64_t *touched; /* a bit for each regular column */
    char *key_end;
    bool has_marker;
    bool is_touched;
};

static bool operation(struct row *row)
{
    row->has_marker = !TAKE(&row->scan, "\"u\"");
    return !row->has_marker || TAKE(&row->scan, "\"i\"") || TAKE(&row->scan, "\"c\"");
}

static bool write_ts(struct row *row)
{
    row->write_ts_text = row->scan.at;
    if (!take_integer(&row->scan, &row->write_ts))
        return false;
    row->write_ts_length = (size_t)(row->scan.at - row->write_ts_text);
    return true;
}

static bool column(struct row *row, value_function *value)
{
    struct scan *scan = &row->scan;
    return TAKE(scan, "{\"value\":") && value(scan) && put(scan, "\t", 1) && TAKE(scan, ",\"deletion_ts\":null,\"set\":true}");
}

static bool key(struct row *row, const struct op *op)
{
    if (!column(row, value_kinds[op->kind].key))
        return false;
    row->key_end = row->scan.out - 1;
    return true;
}

static bool cell(struct row *row, const struct op *op)
{
    if (TAKE(&row->scan, "null"))
        return true;
    row->touched[op->position / 64] |= (uint64_t)1 << op->position % 64;
    row->is_touched = true;
    return column(row, value_kinds[op->kind].cell);
}

/* Puts the line's end, and its key once more as a line of its own. */
static bool end(struct row *row, const char *line)
{
    struct scan *scan = &row->scan;
    if (scan->at != scan->end || !(row->has_marker || row->is_touched))
        return false;
    put(scan, row->write_ts_text, row->write_ts_length);
    put(scan, "\t", 1);
    row->has_marker ? put(scan, row->write_ts_text, row->write_ts_length) : put(scan, "\\N", 2);
    put(scan, "\t\n", 2);
    put(scan, line, (size_t)(row->key_end - line));
    return put(scan, "\n", 1);
}

static bool step(struct row *row, const struct op *op)
{
    int64_t any;
    switch (op->code) {
    case LITERAL:
    case OPTIONAL:
        return true;
    case INTEGER:
        return take_integer(&row->scan, &any);
    case STRING:
        return skip_string(&row->scan);
    case OPERATION:
        return operation(row);
    case WRITE_TS:
        return write_ts(row);
    case KEY:
        return key(row, op);
    case CELL:
        return cell(row, op);
    default:
        return false;
    }
}

static bool read_row(const struct op *op, struct row *row)
{
    char *line = row->scan.out;
    for (;; op++) {
        if (!take(&row->scan, op->text, (size_t)op->length)) {
            if (op->code != OPTIONAL)
                return false;
        } else if (op->code == END) {
            return end(row, line);
        } else if (!step(row, op)) {
            return false;
        }
    }
}

/* Where the schema stands before the payload, the payload has a brace of the wrapping behind it. */
static void unwrap(struct scan *scan, const char *prefix, int64_t length)
{
    if (length > 0 && scan->end > scan->at && scan->end[-1] == '}' && take(scan, prefix, (size_t)length))
        scan->end--;
}

/* Returns the place of a CQL type in value_kinds, -1 where its values are not read here. */
int32_t cassmirror_value_kind(const char *name)
{
    for (int32_t kind = 0; kind < value_kind_count; kind++)
        if (strcmp(value_kinds[kind].name, name) == 0)
            return kind;
    return -1;
}

/* Reads the events at `count` places and returns how many bytes of `text` it wrote: for each plain one two lines, the row's and
 * its key's.
 *
 * `prefix` is what stands before the payload in events with their schema. `text` has room for `room` bytes: three times the
 * values and 16 more are enough for all. `forms` tells for each event: 0 not plain, 1 without, 2 with a marker. `stamps` has
 * for each plain one its write timestamp, `touched` the set of its columns in `words` words. */
int64_t cassmirror_plain_rows(const struct op *program, const char *prefix, int64_t prefix_length, int64_t count,
                              const char *octets, const struct place *places, char *text, int64_t room, uint8_t *forms,
                              int64_t *stamps, uint64_t *touched, int64_t words)
{
    char *out = text;
    for (int64_t i = 0; i < count; i++) {
        const char *value = octets + places[i].value_at;
        int64_t size = places[i].value_size;
        forms[i] = 0;
        /* A cell's frame of 40 bytes pays for what its value may be longer than its JSON, the envelope for the timestamps. */
        if (size <= 0 || (text + room - out - 16) / 3 < size)
            continue;
        struct row row = {.scan = {value, value + size, out}, .touched = touched};
        memset(touched, 0, (size_t)words * sizeof *touched);
        unwrap(&row.scan, prefix, prefix_length);
        if (!read_row(program, &row))
            continue;
        forms[i] = row.has_marker ? 2 : 1;
        out = row.scan.out;
        *stamps++ = row.write_ts;
        touched += words;
    }
    return out - text;
}
