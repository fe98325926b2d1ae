/* Shared by the files of the load generator. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode { THROUGHPUT, RATE, IDLE };

struct settings {
    const char *host, *run;
    int port, rooms, size, window;
    double rate, seconds, warmup;
    enum mode mode;
    const struct protocol *protocol;
};

/* The edits of one writer that a reader holds: all below `next` of its clock. */
struct writer_clock {
    uint32_t writer;
    uint64_t next;
};

struct client {
    int fd, room, number;
    bool upgraded, ready, sender;
    uint8_t steps;        /* bits of a protocol's own: which answers came */
    uint64_t sent;        /* messages of its own */
    uint64_t received;    /* deliveries, its own messages included */
    struct writer_clock *clocks;
    int clock_count;
    unsigned char *rest;  /* the beginning of a frame whose end has not come */
    size_t rest_size;
};

/* What one server speaks. */
struct protocol {
    const char *name;
    /* Write the path of the handshake. */
    void (*path)(const struct client *, char *to, size_t size);
    /* Send what comes first after the handshake. */
    void (*begin)(struct client *);
    /* Handle one frame; return how many messages of the room it delivers. */
    int (*frame)(struct client *, int opcode, const unsigned char *payload, size_t size);
    /* Send the next message, stamped with `at_ns`. */
    void (*message)(struct client *, uint64_t at_ns);
};

extern struct settings settings;
extern const struct protocol PROTOCOLS[];

const struct protocol *find_protocol(const char *name);
void send_frame(struct client *, int opcode, const void *payload, size_t size);
/* Become ready: everything that comes before the first message has been answered. */
void become_ready(struct client *);
void note_latency(uint64_t at_ns);
uint64_t now_ns(void);
_Noreturn void fail(const char *format, ...);

/* yjs.c */
struct edits {
    int count;
    uint64_t end;      /* clock after the last one */
    uint32_t writer;
};
size_t write_edit(unsigned char *to, uint32_t writer, uint64_t clock, double value);
size_t put_varuint(unsigned char *to, uint64_t value);
bool get_varuint(const unsigned char **at, const unsigned char *end, uint64_t *value);
/* Call `seen(client, writer, first, end)` for each writer in an update; false if unreadable. */
bool read_update(struct client *, const unsigned char *update, size_t size,
                 void (*seen)(struct client *, uint32_t, uint64_t, uint64_t),
                 void (*stamped)(double));
#endif
