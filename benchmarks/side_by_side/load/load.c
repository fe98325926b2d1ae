/* A load generator that costs far less than what it loads: one thread, epoll, raw frames.

   Opens rooms × size WebSockets on one port, waits until each is ready, prints one JSON line
   {"ready": N}, and goes on when it reads a line. Then, by --mode:
     throughput   one sender a room keeps `window` messages on their way (its own, that have
                  not come back to it); counts what arrives in `seconds` after a warm-up
     rate         all clients send in turn, `rate` messages a second in all, each on its
                  scheduled time whether or not the server keeps up; a histogram of delivery
                  times since that scheduled time
     idle         nothing, until it reads another line
   Frames are masked with zeros: the payload stays as it is, and the server's work is the same. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum { READ_BYTES = 1 << 18, EVENTS = 512, PENDING = 64, START_SECONDS = 60, PAUSE_NS = 150000 };
enum { PING = 9, PONG = 10, CLOSE = 8, CONTINUATION = 0 };

struct settings settings;
static struct client *clients;
static int client_count, upgrading, ready_count, epoll;
static uint64_t sent, received, latencies;
static bool sending;
static unsigned char buffer[READ_BYTES * 2];

/* Latency: buckets of 1/64 of their value, in microseconds. */
enum { PARTS = 64, BUCKETS = PARTS * 40 };
static uint64_t histogram[BUCKETS];
static uint64_t worst_us;

_Noreturn void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool measuring;

void note_latency(uint64_t at_ns) {
    if (!measuring) return;
    uint64_t us = (now_ns() - at_ns) / 1000, part = us;
    int shift = 0;
    while (part >= 2 * PARTS) part >>= 1, shift++;
    size_t bucket = (size_t)(shift * PARTS) + (size_t)part;
    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    latencies++;
    if (us > worst_us) worst_us = us;
}

/* The upper end of the bucket that holds this share of the deliveries, in milliseconds. */
static double percentile_ms(double share) {
    uint64_t wanted = (uint64_t)((double)latencies * share), passed = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        passed += histogram[bucket];
        if (passed <= wanted) continue;
        int shift = bucket < 2 * PARTS ? 0 : bucket / PARTS - 1;
        uint64_t part = (uint64_t)(bucket - shift * PARTS);
        uint64_t upper_us = (part + 1) << shift;
        return (double)(upper_us < worst_us ? upper_us : worst_us) / 1000;
    }
    return (double)worst_us / 1000;
}

void become_ready(struct client *client) {
    if (client->ready) return;
    client->ready = true;
    ready_count++;
}

static void send_bytes(struct client *client, const unsigned char *bytes, size_t size) {
    while (size > 0) {
        ssize_t taken = send(client->fd, bytes, size, MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN && errno != EINTR)
            fail("client %d cannot send: %s", client->number, strerror(errno));
        if (taken < 0) continue; /* the server reads slowly: it is what is measured */
        bytes += taken;
        size -= (size_t)taken;
    }
}

void send_frame(struct client *client, int opcode, const void *payload, size_t size) {
    unsigned char frame[512];
    size_t at = 0;
    if (size > sizeof frame - 8) fail("a frame of %zu bytes is too long", size);
    frame[at++] = (unsigned char)(0x80 | opcode);
    if (size < 126) {
        frame[at++] = (unsigned char)(0x80 | size);
    } else {
        frame[at++] = 0x80 | 126;
        frame[at++] = (unsigned char)(size >> 8);
        frame[at++] = (unsigned char)size;
    }
    memset(frame + at, 0, 4);
    memcpy(frame + at + 4, payload, size);
    send_bytes(client, frame, at + 4 + size);
}

static void send_message(struct client *client, uint64_t at_ns) {
    settings.protocol->message(client, at_ns);
    client->sent++;
    sent++;
}

static void open_client(struct client *client) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)settings.port)};
    inet_pton(AF_INET, settings.host, &address.sin_addr);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("cannot connect to %s:%d: %s", settings.host, settings.port, strerror(errno));
    char path[128], request[512];
    settings.protocol->path(client, path, sizeof path);
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                        path, settings.host, settings.port);
    send_bytes(client, (unsigned char *)request, (size_t)size);
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event);
    upgrading++;
}

/* Return the bytes of the answer to the handshake, or 0 if its end has not come. */
static size_t read_handshake(struct client *client, const unsigned char *at, size_t size) {
    const unsigned char *end = memmem(at, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (size < 12 || memcmp(at + 9, "101", 3) != 0)
        fail("client %d was answered: %.*s", client->number, (int)(end - at), at);
    client->upgraded = true;
    upgrading--;
    settings.protocol->begin(client);
    return (size_t)(end - at) + 4;
}

static void handle_frame(struct client *client, int opcode, const unsigned char *payload,
                         size_t size) {
    if (opcode == PING) {
        send_frame(client, PONG, payload, size);
    } else if (opcode == CLOSE) {
        int code = size >= 2 ? payload[0] << 8 | payload[1] : 1005;
        fail("client %d was closed with %d: %.*s", client->number, code,
             size > 2 ? (int)size - 2 : 0, payload + 2);
    } else {
        int count = settings.protocol->frame(client, opcode, payload, size);
        client->received += (uint64_t)count;
        received += (uint64_t)count;
        if (sending && client->sender)
            while (count-- > 0) send_message(client, now_ns());
    }
}

/* Handle the whole frames in `size` bytes; return how many bytes they had. */
static size_t read_frames(struct client *client, const unsigned char *bytes, size_t size) {
    size_t at = 0;
    while (size - at >= 2) {
        int opcode = bytes[at] & 0x0f;
        uint64_t length = bytes[at + 1];
        size_t head = 2;
        if (length == 126) {
            head = 4;
            if (size - at < head) break;
            length = (uint64_t)bytes[at + 2] << 8 | bytes[at + 3];
        } else if (length == 127) {
            head = 10;
            if (size - at < head) break;
            length = 0;
            for (int i = 2; i < 10; i++) length = length << 8 | bytes[at + (size_t)i];
        }
        if (head + length > READ_BYTES) fail("a frame of %llu bytes", (unsigned long long)length);
        if (size - at < head + length) break;
        if (!(bytes[at] & 0x80) || opcode == CONTINUATION) fail("a frame in fragments");
        handle_frame(client, opcode, bytes + at + head, (size_t)length);
        at += head + (size_t)length;
    }
    return at;
}

static void read_client(struct client *client) {
    memcpy(buffer, client->rest, client->rest_size);
    ssize_t got = recv(client->fd, buffer + client->rest_size, READ_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) fail("client %d lost its connection: %s", client->number,
                       got < 0 ? strerror(errno) : "the server closed it");
    size_t size = client->rest_size + (size_t)got, at = 0;
    if (!client->upgraded) at = read_handshake(client, buffer, size);
    if (client->upgraded) at += read_frames(client, buffer + at, size - at);
    if (size - at != client->rest_size) client->rest = realloc(client->rest, size - at + 1);
    client->rest_size = size - at;
    memcpy(client->rest, buffer + at, client->rest_size);
}

static void poll_clients(int timeout_ms) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll, events, EVENTS, timeout_ms);
    for (int i = 0; i < count; i++) read_client(events[i].data.ptr);
}

static void open_all(void) {
    uint64_t deadline = now_ns() + START_SECONDS * 1000000000ull;
    for (int opened = 0; ready_count < client_count;) {
        while (opened < client_count && upgrading < PENDING) open_client(&clients[opened++]);
        poll_clients(100);
        if (now_ns() > deadline)
            fail("%d of %d clients are ready after %d s", ready_count, client_count, START_SECONDS);
    }
}

static void wait_for_line(void) {
    /* Connections are served on, so that none is closed for its silence. */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    for (bool read_it = false; !read_it;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, 1000);
        for (int i = 0; i < count; i++) {
            char line[256];
            if (events[i].data.ptr) read_client(events[i].data.ptr);
            else if (read(STDIN_FILENO, line, sizeof line) >= 0) read_it = true;
        }
    }
    epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

/* Read every PAUSE_NS, so that one wake-up serves many clients. A server that is saturated
   always has more than that before it; latency is measured without the pause. */
static void run_until(uint64_t end_ns) {
    struct timespec pause = {0, PAUSE_NS};
    for (uint64_t now = now_ns(); now < end_ns; now = now_ns()) {
        poll_clients((int)((end_ns - now) / 1000000) + 1);
        nanosleep(&pause, NULL);
    }
}

/* Send on schedule until `end_ns`; a message that is late keeps its scheduled time. */
static void send_at_rate(uint64_t start_ns, uint64_t end_ns, uint64_t *number) {
    double interval = 1e9 / settings.rate;
    for (uint64_t now = now_ns(); now < end_ns; now = now_ns()) {
        uint64_t due = start_ns + (uint64_t)((double)*number * interval);
        while (due <= now && due < end_ns) {
            send_message(&clients[*number % (uint64_t)client_count], due);
            due = start_ns + (uint64_t)((double)++*number * interval);
        }
        uint64_t until = due < end_ns ? due : end_ns;
        now = now_ns();
        struct timespec wait = {0, until > now ? (long)(until - now) : 0};
        struct epoll_event events[EVENTS];
        int count = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
        for (int i = 0; i < count; i++) read_client(events[i].data.ptr);
    }
}

static void run(uint64_t from_ns, double seconds, uint64_t start_ns, uint64_t *number) {
    uint64_t end = from_ns + (uint64_t)(seconds * 1e9);
    if (settings.mode == RATE) send_at_rate(start_ns, end, number);
    else run_until(end);
}

static void measure(void) {
    uint64_t start = now_ns(), number = 0;
    sending = settings.mode == THROUGHPUT;
    if (sending)
        for (int i = 0; i < client_count; i += settings.size)
            for (int j = 0; j < settings.window; j++) send_message(&clients[i], now_ns());
    run(start, settings.warmup, start, &number);
    printf("{\"begin\": true}\n");
    fflush(stdout);
    uint64_t began = now_ns(), sent_before = sent, received_before = received;
    double cpu = cpu_seconds();
    measuring = true;
    run(began, settings.seconds, start, &number);
    double seconds = (double)(now_ns() - began) / 1e9;
    cpu = cpu_seconds() - cpu;
    uint64_t sent_now = sent - sent_before, received_now = received - received_before;
    printf("{\"end\": true}\n");
    fflush(stdout);
    /* What is still on its way may arrive; what does not is missing. */
    sending = false;
    uint64_t expected = sent * (uint64_t)settings.size, deadline = now_ns() + 3000000000ull;
    while (received < expected && now_ns() < deadline) poll_clients(50);
    printf("{\"seconds\": %.6f, \"sent\": %llu, \"deliveries\": %llu, \"cpu_seconds\": %.6f, "
           "\"missing\": %lld, \"all_sent\": %llu, \"latencies\": %llu, \"p50_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f}\n",
           seconds, (unsigned long long)sent_now, (unsigned long long)received_now, cpu,
           (long long)(expected - received), (unsigned long long)sent,
           (unsigned long long)latencies, percentile_ms(0.5), percentile_ms(0.99),
           percentile_ms(0.999), (double)worst_us / 1000);
}

static void read_settings(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = words[i], *value = words[i + 1];
        if (!strcmp(name, "--host")) settings.host = value;
        else if (!strcmp(name, "--port")) settings.port = atoi(value);
        else if (!strcmp(name, "--protocol")) settings.protocol = find_protocol(value);
        else if (!strcmp(name, "--run")) settings.run = value;
        else if (!strcmp(name, "--rooms")) settings.rooms = atoi(value);
        else if (!strcmp(name, "--size")) settings.size = atoi(value);
        else if (!strcmp(name, "--window")) settings.window = atoi(value);
        else if (!strcmp(name, "--rate")) settings.rate = atof(value);
        else if (!strcmp(name, "--seconds")) settings.seconds = atof(value);
        else if (!strcmp(name, "--warmup")) settings.warmup = atof(value);
        else if (!strcmp(name, "--mode"))
            settings.mode = !strcmp(value, "rate") ? RATE : !strcmp(value, "idle") ? IDLE : THROUGHPUT;
        else fail("there is no option %s", name);
    }
    if (!settings.protocol || !settings.port || settings.rooms < 1 || settings.size < 1)
        fail("--protocol, --port, --rooms and --size are needed");
    if (settings.mode == RATE && settings.rate <= 0) fail("--rate must be above 0");
}

int main(int count, char **words) {
    settings = (struct settings){.host = "127.0.0.1", .run = "0", .window = 16, .seconds = 5,
                                 .warmup = 1};
    read_settings(count, words);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1); /* else a pause is 50 µs longer */
    epoll = epoll_create1(0);
    client_count = settings.rooms * settings.size;
    clients = calloc((size_t)client_count, sizeof *clients);
    for (int i = 0; i < client_count; i++)
        clients[i] = (struct client){.fd = -1, .number = i, .room = i / settings.size,
                                     .sender = i % settings.size == 0};
    open_all();
    printf("{\"ready\": %d}\n", ready_count);
    fflush(stdout);
    wait_for_line();
    if (settings.mode == IDLE) return 0;
    measure();
    return 0;
}
