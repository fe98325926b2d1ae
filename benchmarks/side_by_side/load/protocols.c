/* What each server speaks: the handshake, the first frames, a message, a delivery. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum { TEXT = 1, BINARY = 2 };
enum { SYNC = 0, STEP1 = 0, STEP2 = 1, UPDATE = 2 };
enum { RESTORED = 1, SYNCED = 2 };
enum { TEXT_CHARACTERS = 60 };

static const char STAMP[] = "at=";
static char filler[TEXT_CHARACTERS + 1];

static bool begins(const unsigned char *payload, size_t size, const char *with) {
    size_t length = strlen(with);
    return size >= length && memcmp(payload, with, length) == 0;
}

static void send_text(struct client *client, const char *text) {
    send_frame(client, TEXT, text, strlen(text));
}

/* A text of 60 characters that begins with the time. */
static const char *stamp(uint64_t at_ns) {
    int size = snprintf(filler, sizeof filler, "%s%020" PRIu64 " ", STAMP, at_ns);
    memset(filler + size, 'x', TEXT_CHARACTERS - (size_t)size);
    return filler;
}

/* One delivery of a chat; looks for the stamp only where latency is asked for. */
static int delivered(const unsigned char *payload, size_t size) {
    if (settings.mode == RATE) {
        const unsigned char *found = memmem(payload, size, STAMP, sizeof STAMP - 1);
        if (found) note_latency(strtoull((const char *)found + sizeof STAMP - 1, NULL, 10));
    }
    return 1;
}

static void room_path(const struct client *client, char *to, size_t size) {
    snprintf(to, size, "/ws/r%s-%d", settings.run, client->room);
}

/* Isshoni ------------------------------------------------------------------------------ */

static void restore_session(struct client *client) {
    char text[256];
    snprintf(text, sizeof text,
             "{\"type\":\"restore_session\",\"session_id\":\"r%s-%d\",\"client_id\":\"c%s-%d\","
             "\"can\":[\"migrate\",\"canvas\"]}",
             settings.run, client->room, settings.run, client->number);
    send_text(client, text);
}

static int isshoni_frame(struct client *client, int opcode, const unsigned char *payload,
                         size_t size) {
    static const char RESTORED_TYPE[] = "{\"type\":\"session_restored\"", CHAT[] = "{\"type\":\"chat\"",
                      ERROR[] = "{\"type\":\"error\"";
    if (opcode != TEXT) return 0;
    if (begins(payload, size, CHAT)) return delivered(payload, size);
    if (begins(payload, size, ERROR)) fail("the server answered %.*s", (int)size, payload);
    if (!client->ready && begins(payload, size, RESTORED_TYPE)) become_ready(client);
    return 0;
}

static void isshoni_message(struct client *client, uint64_t at_ns) {
    char text[160];
    snprintf(text, sizeof text, "{\"type\":\"chat\",\"n\":%" PRIu64 ",\"text\":\"%s\"}",
             client->sent + 1, stamp(at_ns));
    send_text(client, text);
}

/* Socket.IO 5 over Engine.IO 4 ----------------------------------------------------------- */

static void socketio_path(const struct client *client, char *to, size_t size) {
    (void)client;
    snprintf(to, size, "/socket.io/?EIO=4&transport=websocket");
}

static void begin_nothing(struct client *client) { (void)client; }

static int socketio_frame(struct client *client, int opcode, const unsigned char *payload,
                          size_t size) {
    if (opcode != TEXT || size == 0) return 0;
    if (begins(payload, size, "42[\"chat\"")) return delivered(payload, size);
    if (payload[0] == '2' && size == 1) {
        send_text(client, "3"); /* the heartbeat */
    } else if (payload[0] == '0') {
        send_text(client, "40");
    } else if (begins(payload, size, "40")) {
        char text[128];
        snprintf(text, sizeof text, "42[\"join\",\"r%s-%d\"]", settings.run, client->room);
        send_text(client, text);
    } else if (begins(payload, size, "42[\"joined\"")) {
        become_ready(client);
    }
    return 0;
}

static void socketio_message(struct client *client, uint64_t at_ns) {
    char text[128];
    snprintf(text, sizeof text, "42[\"chat\",\"%s\"]", stamp(at_ns));
    send_text(client, text);
}

/* A plain chat: every text frame goes to the room as it is ------------------------------------ */

static int plain_frame(struct client *client, int opcode, const unsigned char *payload,
                       size_t size) {
    if (opcode != TEXT) return 0;
    if (begins(payload, size, "{\"text\"")) return delivered(payload, size);
    if (begins(payload, size, "{\"joined\"")) become_ready(client);
    return 0;
}

static void plain_message(struct client *client, uint64_t at_ns) {
    char text[128];
    snprintf(text, sizeof text, "{\"text\":\"%s\"}", stamp(at_ns));
    send_text(client, text);
}

/* Canvases: Yjs --------------------------------------------------------------------------- */

static void stamped(double at_ns) {
    if (settings.mode == RATE && at_ns > 0) note_latency((uint64_t)at_ns);
}

static int arrived;

static void seen(struct client *client, uint32_t writer, uint64_t first, uint64_t end) {
    struct writer_clock *clock = NULL;
    for (int i = 0; i < client->clock_count && !clock; i++)
        if (client->clocks[i].writer == writer) clock = &client->clocks[i];
    if (!clock) {
        client->clocks = realloc(client->clocks, sizeof *clock * (size_t)(client->clock_count + 1));
        clock = &client->clocks[client->clock_count++];
        *clock = (struct writer_clock){writer, 0};
    }
    if (first > clock->next)
        fail("a canvas update begins at %" PRIu64 ", expected %" PRIu64, first, clock->next);
    if (end > clock->next) {
        arrived += (int)(end - clock->next);
        clock->next = end;
    }
}

static uint32_t writer_of(const struct client *client) {
    return (uint32_t)(strtoul(settings.run, NULL, 16) << 16 | (unsigned)client->number) & 0x7fffffff;
}

/* Handle a message of y-protocols that follows the kind `sync`. */
static int sync_frame(struct client *client, const unsigned char *at, const unsigned char *end) {
    uint64_t kind, size;
    if (!get_varuint(&at, end, &kind) || !get_varuint(&at, end, &size)) return 0;
    if (kind == STEP1) return 0; /* nothing was made offline */
    arrived = 0;
    if (kind == STEP2) client->steps |= SYNCED;
    if (!read_update(client, at, size, seen, stamped)) fail("a canvas update is unreadable");
    return arrived;
}

static size_t put_edit(const struct client *client, unsigned char *to, uint64_t at_ns) {
    unsigned char update[128];
    size_t size = write_edit(update, writer_of(client), client->sent, (double)at_ns), at = 0;
    to[at++] = SYNC;
    to[at++] = UPDATE;
    at += put_varuint(to + at, size);
    memcpy(to + at, update, size);
    return at + size;
}

static const unsigned char EMPTY_STEP1[] = {SYNC, STEP1, 1, 0};

static void isshoni_canvas_begin(struct client *client) {
    restore_session(client);
    send_frame(client, BINARY, EMPTY_STEP1, sizeof EMPTY_STEP1);
}

static int isshoni_canvas_frame(struct client *client, int opcode, const unsigned char *payload,
                                size_t size) {
    int count = 0;
    if (opcode == TEXT && begins(payload, size, "{\"type\":\"error\""))
        fail("the server answered %.*s", (int)size, payload);
    if (opcode == TEXT && begins(payload, size, "{\"type\":\"session_restored\""))
        client->steps |= RESTORED;
    else if (opcode == BINARY && size > 0 && payload[0] == SYNC)
        count = sync_frame(client, payload + 1, payload + size);
    if (!client->ready && client->steps == (RESTORED | SYNCED)) become_ready(client);
    return count;
}

static void isshoni_canvas_message(struct client *client, uint64_t at_ns) {
    unsigned char frame[160];
    send_frame(client, BINARY, frame, put_edit(client, frame, at_ns));
}

/* Hocuspocus: the name of the document goes before each message. */

enum { AUTH = 2, TOKEN = 0, AUTHENTICATED = 2 };

static void root_path(const struct client *client, char *to, size_t size) {
    (void)client;
    snprintf(to, size, "/");
}

static size_t put_document(const struct client *client, unsigned char *to) {
    int size = snprintf((char *)to + 1, 64, "r%s-%d", settings.run, client->room);
    to[0] = (unsigned char)size;
    return (size_t)size + 1;
}

static void hocuspocus_begin(struct client *client) {
    unsigned char frame[96];
    size_t at = put_document(client, frame);
    frame[at++] = AUTH;
    frame[at++] = TOKEN;
    frame[at++] = 0; /* an empty token */
    send_frame(client, BINARY, frame, at);
}

static int hocuspocus_frame(struct client *client, int opcode, const unsigned char *payload,
                            size_t size) {
    const unsigned char *at = payload, *end = payload + size;
    uint64_t name, kind, detail;
    if (opcode != BINARY || !get_varuint(&at, end, &name) || name > (uint64_t)(end - at)) return 0;
    at += name;
    if (!get_varuint(&at, end, &kind)) return 0;
    if (kind == AUTH && get_varuint(&at, end, &detail) && detail == AUTHENTICATED) {
        unsigned char frame[96];
        size_t used = put_document(client, frame);
        memcpy(frame + used, EMPTY_STEP1, sizeof EMPTY_STEP1);
        send_frame(client, BINARY, frame, used + sizeof EMPTY_STEP1);
        return 0;
    }
    int count = kind == SYNC || kind == 4 /* a reply */ ? sync_frame(client, at, end) : 0;
    if (!client->ready && client->steps & SYNCED) become_ready(client);
    return count;
}

static void hocuspocus_message(struct client *client, uint64_t at_ns) {
    unsigned char frame[224];
    size_t at = put_document(client, frame);
    send_frame(client, BINARY, frame, at + put_edit(client, frame + at, at_ns));
}

const struct protocol PROTOCOLS[] = {
    {"isshoni", room_path, restore_session, isshoni_frame, isshoni_message},
    {"isshoni-canvas", room_path, isshoni_canvas_begin, isshoni_canvas_frame,
     isshoni_canvas_message},
    {"socket.io", socketio_path, begin_nothing, socketio_frame, socketio_message},
    {"plain", room_path, begin_nothing, plain_frame, plain_message},
    {"hocuspocus", root_path, hocuspocus_begin, hocuspocus_frame, hocuspocus_message},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct protocol *find_protocol(const char *name) {
    const struct protocol *found = PROTOCOLS;
    while (found->name && strcmp(found->name, name) != 0) found++;
    return found->name ? found : NULL;
}
