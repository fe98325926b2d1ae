/* The part of Yjs's update format (version 1) that edits of one number need.

   Edit 0 of a writer adds a map to the root map `elements`; each later one sets `x` in it,
   as a user does who moves an element. An edit is one struct, so it is one tick of the clock. */
#include <stdio.h>
#include <string.h>

#include "load.h"

enum { HAS_ORIGIN = 0x80, HAS_RIGHT_ORIGIN = 0x40, HAS_KEY = 0x20, KIND = 0x1f };
enum { GC = 0, DELETED = 1, TYPE = 7, ANY = 8, SKIP = 10 };
enum { ANY_FLOAT64 = 123, ANY_FLOAT32 = 124, ANY_INTEGER = 125, Y_MAP = 1 };

size_t put_varuint(unsigned char *to, uint64_t value) {
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) to[size++] = (unsigned char)(value | 0x80);
    to[size++] = (unsigned char)value;
    return size;
}

bool get_varuint(const unsigned char **at, const unsigned char *end, uint64_t *value) {
    *value = 0;
    for (int shift = 0; *at < end && shift < 63; shift += 7) {
        unsigned char byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static size_t put_string(unsigned char *to, const char *text) {
    size_t size = strlen(text), head = put_varuint(to, size);
    memcpy(to + head, text, size);
    return head + size;
}

static size_t put_float64(unsigned char *to, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++) to[i] = (unsigned char)(bits >> (56 - 8 * i));
    return 8;
}

size_t write_edit(unsigned char *to, uint32_t writer, uint64_t clock, double value) {
    size_t at = 0;
    at += put_varuint(to + at, 1); /* writers */
    at += put_varuint(to + at, 1); /* structs */
    at += put_varuint(to + at, writer);
    at += put_varuint(to + at, clock);
    if (clock == 0) {
        char name[24];
        snprintf(name, sizeof name, "e%u", writer);
        to[at++] = HAS_KEY | TYPE;
        at += put_varuint(to + at, 1); /* the parent is a root, by its name */
        at += put_string(to + at, "elements");
        at += put_string(to + at, name);
        at += put_varuint(to + at, Y_MAP);
    } else {
        if (clock == 1) {
            to[at++] = HAS_KEY | ANY;
            at += put_varuint(to + at, 0); /* the parent is an item, by its id */
            at += put_varuint(to + at, writer);
            at += put_varuint(to + at, 0);
            at += put_string(to + at, "x");
        } else {
            to[at++] = HAS_ORIGIN | HAS_KEY | ANY;
            at += put_varuint(to + at, writer);
            at += put_varuint(to + at, clock - 1);
        }
        at += put_varuint(to + at, 1);
        to[at++] = ANY_FLOAT64;
        at += put_float64(to + at, value);
    }
    if (clock < 2) {
        at += put_varuint(to + at, 0); /* nothing is deleted */
    } else {
        at += put_varuint(to + at, 1);
        at += put_varuint(to + at, writer);
        at += put_varuint(to + at, 1);
        at += put_varuint(to + at, clock - 1); /* the value before */
        at += put_varuint(to + at, 1);
    }
    return at;
}

static bool skip_varuints(const unsigned char **at, const unsigned char *end, int count) {
    uint64_t ignored;
    while (count-- > 0)
        if (!get_varuint(at, end, &ignored)) return false;
    return true;
}

static bool skip_string(const unsigned char **at, const unsigned char *end) {
    uint64_t size;
    if (!get_varuint(at, end, &size) || size > (uint64_t)(end - *at)) return false;
    *at += size;
    return true;
}

static bool read_any(const unsigned char **at, const unsigned char *end, void (*stamped)(double)) {
    if (*at >= end) return false;
    unsigned char kind = *(*at)++;
    if (kind == ANY_FLOAT64) {
        if (end - *at < 8) return false;
        uint64_t bits = 0;
        double value;
        for (int i = 0; i < 8; i++) bits = bits << 8 | (*at)[i];
        *at += 8;
        memcpy(&value, &bits, sizeof value);
        if (stamped) stamped(value);
        return true;
    }
    /* A server writes what fits as a float of four bytes: about one time in 500,000 it does. */
    if (kind == ANY_FLOAT32) {
        if (end - *at < 4) return false;
        uint32_t bits = 0;
        float value;
        for (int i = 0; i < 4; i++) bits = bits << 8 | (*at)[i];
        *at += 4;
        memcpy(&value, &bits, sizeof value);
        if (stamped) stamped((double)value);
        return true;
    }
    /* A server may write a whole number as an integer; its sign does not matter here. */
    return kind == ANY_INTEGER && skip_varuints(at, end, 1);
}

static bool read_struct(const unsigned char **at, const unsigned char *end, uint64_t *size,
                        bool *skipped, void (*stamped)(double)) {
    if (*at >= end) return false;
    int info = *(*at)++, kind = info & KIND;
    *size = 1;
    *skipped = kind == SKIP;
    if (kind == SKIP || (kind == GC && info == GC)) return get_varuint(at, end, size);
    if (info & HAS_ORIGIN && !skip_varuints(at, end, 2)) return false;
    if (info & HAS_RIGHT_ORIGIN && !skip_varuints(at, end, 2)) return false;
    if (!(info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN))) {
        uint64_t root;
        if (!get_varuint(at, end, &root)) return false;
        if (root ? !skip_string(at, end) : !skip_varuints(at, end, 2)) return false;
        if (info & HAS_KEY && !skip_string(at, end)) return false;
    }
    if (kind == DELETED) return get_varuint(at, end, size);
    if (kind == TYPE) return skip_varuints(at, end, 1);
    if (kind != ANY || !get_varuint(at, end, size)) return false;
    for (uint64_t i = 0; i < *size; i++)
        if (!read_any(at, end, stamped)) return false;
    return true;
}

bool read_update(struct client *client, const unsigned char *at, size_t total,
                 void (*seen)(struct client *, uint32_t, uint64_t, uint64_t),
                 void (*stamped)(double)) {
    const unsigned char *end = at + total;
    uint64_t writers, structs, writer, clock, size;
    if (!get_varuint(&at, end, &writers)) return false;
    while (writers-- > 0) {
        if (!get_varuint(&at, end, &structs) || !get_varuint(&at, end, &writer) ||
            !get_varuint(&at, end, &clock))
            return false;
        uint64_t first = clock;
        while (structs-- > 0) {
            bool skipped;
            if (!read_struct(&at, end, &size, &skipped, stamped)) return false;
            if (skipped && clock > first) seen(client, (uint32_t)writer, first, clock);
            clock += size;
            if (skipped) first = clock;
        }
        if (clock > first) seen(client, (uint32_t)writer, first, clock);
    }
    return true;
}
