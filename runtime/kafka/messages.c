/* What librdkafka has polled, before anything of it becomes an object: runs of one partition, and copies of chosen records. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* `rd_kafka_message_t` of librdkafka's public header, the same since its version 0.8. */
struct message {
    int32_t error;
    void *topic;
    int32_t partition;
    const char *value;
    size_t value_size;
    const char *key;
    size_t key_size;
    int64_t offset;
    void *hidden;
};

/* Messages side by side of one topic partition and one error (0: records). A topic is a handle of librdkafka's. */
struct run {
    void *topic;
    int64_t next_offset;
    int64_t bytes;
    int32_t partition;
    int32_t error;
    int32_t first;
    int32_t count;
};

/* What is copied of one record: offset and time (milliseconds, -1: none), and where key and value stand in the buffer (size -1:
 * null). As `RecordRun.places` of cdc/runs.py. */
struct place {
    int64_t offset, timestamp_ms, key_at, key_size, value_at, value_size;
};

typedef int64_t timestamp_function(const struct message *, int32_t *kind);
typedef void destroy_function(struct message *);

/* Fills `runs` (room for one a message) and the addresses and sizes of all values; returns the number of runs. */
int32_t cassmirror_runs(const struct message *const *messages, int32_t count, struct run *runs, const char **values,
                        size_t *sizes)
{
    struct run *last = NULL;
    int32_t found = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct message *one = messages[i];
        if (last == NULL || one->topic != last->topic || one->partition != last->partition || one->error != last->error) {
            last = &runs[found++];
            *last = (struct run){.topic = one->topic, .partition = one->partition, .error = one->error, .first = i};
        }
        last->count++;
        last->bytes += (int64_t)(one->value_size + one->key_size);
        last->next_offset = one->offset + 1;
        values[i] = one->value;
        sizes[i] = one->value_size;
    }
    return found;
}

/* Returns the bytes that `cassmirror_copy` needs for these messages. */
int64_t cassmirror_size(const struct message *const *messages, const int32_t *chosen, int32_t count)
{
    size_t size = 0;
    for (int32_t i = 0; i < count; i++)
        size += messages[chosen[i]]->key_size + messages[chosen[i]]->value_size;
    return (int64_t)size;
}

static int64_t append(char *buffer, int64_t *end, const char *bytes, size_t size)
{
    if (bytes == NULL)
        return -1;
    memcpy(buffer + *end, bytes, size);
    *end += (int64_t)size;
    return (int64_t)size;
}

/* Copies key and value of the chosen messages into the buffer, one behind the other. */
void cassmirror_copy(const struct message *const *messages, const int32_t *chosen, int32_t count, timestamp_function *timestamp,
                     char *buffer, struct place *places)
{
    int64_t end = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct message *one = messages[chosen[i]];
        int32_t kind;
        places[i].offset = one->offset;
        places[i].timestamp_ms = timestamp(one, &kind);
        places[i].key_at = end;
        places[i].key_size = append(buffer, &end, one->key, one->key_size);
        places[i].value_at = end;
        places[i].value_size = append(buffer, &end, one->value, one->value_size);
    }
}

/* Gives the messages back to librdkafka. */
void cassmirror_destroy(struct message **messages, int32_t count, destroy_function *destroy)
{
    for (int32_t i = 0; i < count; i++)
        destroy(messages[i]);
}
