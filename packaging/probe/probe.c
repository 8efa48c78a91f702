/* The health probe that `slimroot build --healthcheck http://…` packs as /slimroot-probe.
 *
 *     slimroot-probe ADDRESS [MILLISECONDS]
 *
 * ADDRESS is http://HOST[:PORT][/PATH], tcp:HOST:PORT or grpc:HOST:PORT[/SERVICE]; HOST is an IPv4 address, an IPv6
 * address in brackets, or localhost. Status 0 means healthy, 1 unhealthy, with one line on stderr.
 *
 * There is no C library, no data that changes and no relocation: system calls of Linux only. `build` makes the programs
 * that are kept in src/closure. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#if defined(__x86_64__)
enum { READ = 0, CLOSE = 3, WRITE = 1, SOCKET = 41, CONNECT = 42, SENDTO = 44, GETSOCKOPT = 55, CLOCK = 228, EXIT = 231, PPOLL = 271 };
__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call start\n hlt\n");

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
enum { READ = 63, CLOSE = 57, WRITE = 64, SOCKET = 198, CONNECT = 203, SENDTO = 206, GETSOCKOPT = 209, CLOCK = 113, EXIT = 94, PPOLL = 73 };
__asm__(".globl _start\n_start: mov x29,#0\n mov x30,#0\n mov x0,sp\n bl start\n brk #1\n");

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "no system calls for this machine"
#endif

enum { AGAIN = -11, INTERRUPTED = -4, IN_PROGRESS = -115 };
enum { FOR_READING = 1, FOR_WRITING = 4 };
enum { INET = 2, INET6 = 10 };
/* SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, MSG_NOSIGNAL, SOL_SOCKET, SO_ERROR, CLOCK_MONOTONIC */
enum { STREAM = 1 | 04000 | 02000000, NO_SIGNAL = 0x4000, SOCKET_LEVEL = 1, SOCKET_ERROR = 4, MONOTONIC = 1 };

/* The longest address, host and service. */
enum { MAX_ADDRESS = 2048, MAX_HOST = 100, MAX_SERVICE = 100 };
/* Bytes of an HTTP answer in which the status must come, and of the rest that is read so that the server sees no reset. */
enum { MAX_HEAD = 16384, MAX_REST = 1 << 20, REST_MILLISECONDS = 500 };
/* RFC 9113, 4.2: the largest frame that a peer may send unless it is allowed more. */
enum { MAX_FRAME = 16384, MAX_MESSAGE = 256 };
/* The default timeout of engines. */
enum { DEFAULT_MILLISECONDS = 30000 };

struct probe {
    const char *address;
    u64 deadline;
    long socket;
};

static u64 length(const char *text)
{
    u64 n = 0;
    while (text[n]) n++;
    return n;
}

static void say(const char *text)
{
    call(WRITE, 2, (long)text, (long)length(text), 0, 0, 0);
}

__attribute__((noreturn)) static void leave(long status)
{
    for (;;) call(EXIT, status, 0, 0, 0, 0, 0);
}

__attribute__((noreturn)) static void unhealthy(const struct probe *probe, const char *why)
{
    say(probe->address);
    say(": ");
    say(why);
    say("\n");
    leave(1);
}

static u64 now(void)
{
    long time[2] = {0, 0};
    call(CLOCK, MONOTONIC, (long)time, 0, 0, 0, 0);
    return (u64)time[0] * 1000 + (u64)time[1] / 1000000;
}

/* True once the socket is ready, false at the deadline. */
static int is_ready(const struct probe *probe, short events, u64 deadline)
{
    for (;;) {
        u64 time = now();
        if (time >= deadline) return 0;
        u64 rest = deadline - time;
        struct { int fd; short events, returned; } poll = {(int)probe->socket, events, 0};
        long wait[2] = {(long)(rest / 1000), (long)(rest % 1000) * 1000000};
        if (call(PPOLL, (long)&poll, 1, (long)wait, 0, 0, 0) > 0) return 1;
    }
}

/* Bytes that were read; 0 at the end, less on an error or at the deadline. */
static long read_some(const struct probe *probe, u8 *to, u64 most, u64 deadline)
{
    for (;;) {
        long n = call(READ, probe->socket, (long)to, (long)most, 0, 0, 0);
        if (n == AGAIN) {
            if (!is_ready(probe, FOR_READING, deadline)) return AGAIN;
        } else if (n != INTERRUPTED) {
            return n;
        }
    }
}

static void read_exactly(const struct probe *probe, u8 *to, u64 count)
{
    while (count) {
        long n = read_some(probe, to, count, probe->deadline);
        if (n == AGAIN) unhealthy(probe, "no answer in time");
        if (n <= 0) unhealthy(probe, "the connection was closed without an answer");
        to += n;
        count -= (u64)n;
    }
}

static void send_all(const struct probe *probe, const u8 *from, u64 count)
{
    while (count) {
        long n = call(SENDTO, probe->socket, (long)from, (long)count, NO_SIGNAL, 0, 0);
        if (n == AGAIN) {
            if (!is_ready(probe, FOR_WRITING, probe->deadline)) unhealthy(probe, "no answer in time");
        } else if (n > 0) {
            from += n;
            count -= (u64)n;
        } else if (n != INTERRUPTED) {
            unhealthy(probe, "the connection was closed without an answer");
        }
    }
}

/* struct sockaddr_in and sockaddr_in6, with the bytes of an address as the network orders them. */
struct place {
    u8 bytes[28];
    long size;
};

static void set_port(struct place *place, u32 port)
{
    place->bytes[2] = (u8)(port >> 8);
    place->bytes[3] = (u8)port;
}

static struct place empty(u8 family, long size)
{
    struct place place;
    for (u32 i = 0; i < sizeof place.bytes; i++) place.bytes[i] = 0;
    place.bytes[0] = family;
    place.size = size;
    return place;
}

/* Connects; 0 or what went wrong. */
static const char *connect_to(struct probe *probe, const struct place *place)
{
    probe->socket = call(SOCKET, place->bytes[0], STREAM, 0, 0, 0, 0);
    if (probe->socket < 0) return "no socket";
    long failed = call(CONNECT, probe->socket, (long)place->bytes, place->size, 0, 0, 0);
    if (failed == IN_PROGRESS) {
        if (!is_ready(probe, FOR_WRITING, probe->deadline)) return "no connection in time";
        int error = 0;
        u32 size = sizeof error;
        failed = call(GETSOCKOPT, probe->socket, SOCKET_LEVEL, SOCKET_ERROR, (long)&error, (long)&size, 0);
        if (!failed) failed = error;
    }
    if (!failed) return 0;
    call(CLOSE, probe->socket, 0, 0, 0, 0, 0);
    return "no connection: nothing listens there";
}

static int digit(char c, u32 base)
{
    if (c >= '0' && c <= '9') return c - '0';
    char lower = (char)(c | 32);
    return base == 16 && lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* A number that is at most `most`, and moves `text` behind it; -1 if there is none. */
static long number(const char **text, const char *end, u32 base, long most)
{
    long value = -1;
    for (int d; *text < end && (d = digit(**text, base)) >= 0; (*text)++) {
        value = (value < 0 ? 0 : value) * (long)base + d;
        if (value > most) return -1;
    }
    return value;
}

static int is_v4(const char *text, const char *end, u8 *bytes)
{
    for (int i = 0; i < 4; i++) {
        long part = number(&text, end, 10, 255);
        if (part < 0 || (i < 3 && (text == end || *text++ != '.'))) return 0;
        bytes[i] = (u8)part;
    }
    return text == end;
}

/* RFC 4291, 2.2, without an IPv4 address at the end. */
static int is_v6(const char *text, const char *end, u8 *bytes)
{
    u8 after[16];
    u32 count = 0, behind = 0;
    int has_gap = 0;
    if (end - text >= 2 && text[0] == ':' && text[1] == ':') {
        has_gap = 1;
        text += 2;
    }
    while (text < end) {
        long group = number(&text, end, 16, 0xffff);
        if (group < 0 || count + behind >= 16) return 0;
        u8 *to = has_gap ? after + behind : bytes + count;
        to[0] = (u8)(group >> 8);
        to[1] = (u8)group;
        *(has_gap ? &behind : &count) += 2;
        if (text == end) break;
        if (*text++ != ':' || text == end) return 0;
        if (*text == ':') {
            if (has_gap) return 0;
            has_gap = 1;
            text++;
        }
    }
    if (has_gap ? count + behind > 14 : count != 16) return 0;
    for (u32 i = count; i < 16; i++) bytes[i] = i < 16 - behind ? 0 : after[i - (16 - behind)];
    return 1;
}

static int starts(const char *text, const char *with)
{
    while (*with) {
        if (*text++ != *with++) return 0;
    }
    return 1;
}

/* HOST[:PORT] at the beginning of a text; connects, and returns what follows. */
static const char *connected(struct probe *probe, const char *text, u32 port, const char **host_end)
{
    const char *from = text, *end;
    struct place places[2];
    u32 count = 1;
    if (*text == '[') {
        for (end = ++from; *end && *end != ']'; end++) {}
        places[0] = empty(INET6, 28);
        if (*end != ']' || !is_v6(from, end, places[0].bytes + 8)) unhealthy(probe, "the host is no address");
        text = end + 1;
    } else {
        for (end = text; *end && *end != ':' && *end != '/' && *end != '?' && *end != '#'; end++) {}
        places[0] = empty(INET, 16);
        if (end - from == 9 && starts(from, "localhost")) {
            places[0].bytes[4] = 127;
            places[0].bytes[7] = 1;
            places[count] = empty(INET6, 28);
            places[count++].bytes[8 + 15] = 1;
        } else if (!is_v4(from, end, places[0].bytes + 4)) {
            unhealthy(probe, "the host is no address: only numbers and localhost are known");
        }
        text = end;
    }
    if (*text == ':') {
        text++;
        long found = number(&text, text + length(text), 10, 65535);
        if (found < 1) unhealthy(probe, "the port is no number");
        port = (u32)found;
    }
    if (!port) unhealthy(probe, "there is no port");
    *host_end = text;
    const char *why = 0;
    for (u32 i = 0; i < count; i++) {
        set_port(&places[i], port);
        why = connect_to(probe, &places[i]);
        if (!why) return text;
    }
    unhealthy(probe, why);
}

/* Bytes to send. */
struct text {
    u8 bytes[MAX_ADDRESS + 512];
    u64 count;
};

static void put(struct text *text, const char *from, u64 count)
{
    for (u64 i = 0; i < count && text->count < sizeof text->bytes; i++) text->bytes[text->count++] = (u8)from[i];
}

static void put_text(struct text *text, const char *from)
{
    put(text, from, length(from));
}

/* The rest of an answer, so that the server can send it all. */
static void read_rest(const struct probe *probe, u8 *room, u64 size)
{
    u64 deadline = now() + REST_MILLISECONDS, count = 0;
    if (deadline > probe->deadline) deadline = probe->deadline;
    while (count < MAX_REST) {
        long n = read_some(probe, room, size, deadline);
        if (n <= 0) return;
        count += (u64)n;
    }
}

/* The status in a line such as `HTTP/1.1 200 OK` (RFC 9112, 4); -1 if it is none. */
static long status(const u8 *line, u64 count)
{
    if (count < 12 || !starts((const char *)line, "HTTP/1.") || digit((char)line[7], 10) < 0 || line[8] != ' ') return -1;
    const char *at = (const char *)line + 9;
    long value = number(&at, at + 3, 10, 999);
    int is_end = count == 12 || line[12] == ' ' || line[12] == '\r';
    return at == (const char *)line + 12 && is_end ? value : -1;
}

/* Reads until the final status is known. Interim answers (1xx) come before it (RFC 9110, 15.2). */
static long final_status(const struct probe *probe, u8 *room)
{
    u64 count = 0, line = 0, at = 0;
    int is_in_head = 0;
    for (;;) {
        if (count == MAX_HEAD) return -1;
        long n = read_some(probe, room + count, MAX_HEAD - count, probe->deadline);
        if (n == AGAIN) unhealthy(probe, "no answer in time");
        if (n <= 0) {
            if (!count) unhealthy(probe, "the connection was closed without an answer");
            return -1;
        }
        count += (u64)n;
        for (; at < count; at++) {
            if (room[at] != '\n') continue;
            u64 size = at - line;
            if (is_in_head) {
                int is_empty = size == 0 || (size == 1 && room[line] == '\r');
                if (is_empty) is_in_head = 0;
            } else {
                long found = status(room + line, size);
                if (found < 100 || found == 101 || found >= 200) return found;
                is_in_head = 1;
            }
            line = at + 1;
        }
    }
}

static void probe_http(struct probe *probe, const char *text)
{
    const char *host = text, *host_end;
    const char *path = connected(probe, text, 80, &host_end);
    u64 size = 0;
    while (path[size] && path[size] != '#') size++;
    struct text request;
    request.count = 0;
    put_text(&request, "GET ");
    if (*path != '/') put_text(&request, "/");
    put(&request, path, size);
    put_text(&request, " HTTP/1.1\r\nHost: ");
    put(&request, host, (u64)(host_end - host));
    put_text(&request, "\r\nUser-Agent: slimroot-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    send_all(probe, request.bytes, request.count);
    u8 room[MAX_HEAD];
    long found = final_status(probe, room);
    if (found < 0) unhealthy(probe, "the answer is not HTTP");
    read_rest(probe, room, sizeof room);
    if (found >= 200 && found < 400) return;
    char says[] = "status ...";
    says[7] = (char)('0' + found / 100);
    says[8] = (char)('0' + found / 10 % 10);
    says[9] = (char)('0' + found % 10);
    unhealthy(probe, says);
}

/* Types and flags of frames (RFC 9113, 6). */
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

static void put_frame(struct text *text, u64 size, u8 type, u8 flags, u8 stream)
{
    char head[9] = {0, (char)(size >> 8), (char)size, (char)type, (char)flags, 0, 0, 0, (char)stream};
    put(text, head, sizeof head);
}

/* A header without indexing (RFC 7541, 6.2.2), whose name is in the static table. */
static void put_header(struct text *text, u8 name, const char *value, u64 size)
{
    char head[3];
    u32 count = 0;
    if (name < 15) {
        head[count++] = (char)name;
    } else {
        head[count++] = 15;
        head[count++] = (char)(name - 15);
    }
    head[count++] = (char)size;
    put(text, head, count);
    put(text, value, size);
}

static u64 varint(const u8 **at, const u8 *end, int *is_bad)
{
    u64 value = 0;
    for (u32 shift = 0; shift < 64; shift += 7) {
        if (*at == end) break;
        u8 byte = *(*at)++;
        value |= (u64)(byte & 127) << shift;
        if (byte < 128) return value;
    }
    *is_bad = 1;
    return 0;
}

/* The status in a grpc.health.v1.HealthCheckResponse; a message without one has status 0. */
static u64 serving_status(const struct probe *probe, const u8 *at, const u8 *end)
{
    u64 found = 0;
    int is_bad = 0;
    while (at < end && !is_bad) {
        u64 tag = varint(&at, end, &is_bad), size = 0;
        switch (tag & 7) {
        case 0: {
            u64 value = varint(&at, end, &is_bad);
            if (tag >> 3 == 1) found = value;
            break;
        }
        case 1: size = 8; break;
        case 2: size = varint(&at, end, &is_bad); break;
        case 5: size = 4; break;
        default: is_bad = 1;
        }
        if (size > (u64)(end - at)) is_bad = 1;
        else at += size;
    }
    if (is_bad) unhealthy(probe, "the answer is not one of the gRPC health service");
    return found;
}

static void put_request(struct text *text, const char *host, u64 host_size, const char *service)
{
    static const char path[] = "/grpc.health.v1.Health/Check";
    struct text block;
    block.count = 0;
    /* :method POST and :scheme http, which the static table has; te has no place in it (RFC 7541, appendix A). */
    put(&block, "\x83\x86", 2);
    put_header(&block, 4, path, sizeof path - 1);
    put_header(&block, 1, host, host_size);
    put_header(&block, 31, "application/grpc", 16);
    put_header(&block, 58, "slimroot-probe", 14);
    put(&block, "\x00\x02te\x08trailers", 13);
    put_text(text, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    put_frame(text, 0, SETTINGS, 0, 0);
    put_frame(text, block.count, HEADERS, END_HEADERS, 1);
    put(text, (const char *)block.bytes, block.count);
    u64 size = length(service), message = size ? size + 2 : 0;
    put_frame(text, 5 + message, DATA, END_STREAM, 1);
    char head[7] = {0, 0, 0, 0, (char)message, 10, (char)size};
    put(text, head, size ? 7 : 5);
    put(text, service, size);
}

static void answer(const struct probe *probe, u8 type, const u8 *bytes, u64 size)
{
    struct text text;
    text.count = 0;
    put_frame(&text, size, type, ACK, 0);
    put(&text, (const char *)bytes, size);
    send_all(probe, text.bytes, text.count);
}

/* The status that the health service tells (gRPC over HTTP/2; grpc/health/v1/health.proto). */
static u64 told_status(const struct probe *probe)
{
    u8 head[9], frame[MAX_FRAME], message[MAX_MESSAGE];
    u64 count = 0;
    for (int is_first = 1;; is_first = 0) {
        read_exactly(probe, head, sizeof head);
        u64 size = (u64)head[0] << 16 | (u64)head[1] << 8 | head[2];
        u8 type = head[3], flags = head[4];
        u32 stream = (u32)(head[5] & 127) << 24 | (u32)head[6] << 16 | (u32)head[7] << 8 | head[8];
        if (size > MAX_FRAME || (is_first && type != SETTINGS)) unhealthy(probe, "the answer is not HTTP/2");
        read_exactly(probe, frame, size);
        if (type == SETTINGS && !(flags & ACK)) answer(probe, SETTINGS, frame, 0);
        if (type == PING && !(flags & ACK) && size == 8) answer(probe, PING, frame, size);
        if (type == RST_STREAM && stream == 1) unhealthy(probe, "the server refuses the call");
        if (type == GOAWAY && (size < 8 || !(frame[0] & 127 || frame[1] || frame[2] || frame[3])))
            unhealthy(probe, "the server refuses the call");
        if (stream != 1 || (type != DATA && type != HEADERS)) continue;
        if (type == DATA) {
            u64 from = flags & PADDED ? 1 : 0, padding = from && size ? frame[0] : 0;
            if (from + padding > size) unhealthy(probe, "the answer is not HTTP/2");
            for (u64 i = from; i < size - padding && count < sizeof message; i++) message[count++] = frame[i];
        }
        if (count >= 5) {
            u64 wanted = (u64)message[1] << 24 | (u64)message[2] << 16 | (u64)message[3] << 8 | message[4];
            if (message[0] || wanted > sizeof message - 5)
                unhealthy(probe, "the answer is not one of the gRPC health service");
            if (count - 5 >= wanted) return serving_status(probe, message + 5, message + 5 + wanted);
        }
        if (flags & END_STREAM) unhealthy(probe, "the server has no gRPC health service, or does not know the name");
    }
}

static void probe_grpc(struct probe *probe, const char *text)
{
    const char *host_end;
    const char *service = connected(probe, text, 0, &host_end);
    u64 host_size = (u64)(host_end - text);
    if (*service == '/') service++;
    if (host_size > MAX_HOST || length(service) > MAX_SERVICE) unhealthy(probe, "the address is too long");
    struct text request;
    request.count = 0;
    put_request(&request, text, host_size, service);
    send_all(probe, request.bytes, request.count);
    switch (told_status(probe)) {
    case 1: return;
    case 2: unhealthy(probe, "NOT_SERVING");
    case 3: unhealthy(probe, "SERVICE_UNKNOWN");
    default: unhealthy(probe, "UNKNOWN");
    }
}

__attribute__((noreturn, used)) void start(long *stack)
{
    long count = stack[0];
    const char **words = (const char **)(stack + 1);
    struct probe probe = {"slimroot-probe", now() + DEFAULT_MILLISECONDS, -1};
    if (count != 2 && count != 3)
        unhealthy(&probe, "name http://HOST:PORT/PATH, tcp:HOST:PORT or grpc:HOST:PORT[/SERVICE], and milliseconds if you like");
    const char *address = words[1], *host_end;
    if (count == 3) {
        const char *at = words[2], *end = at + length(at);
        long milliseconds = number(&at, end, 10, 86400000);
        if (milliseconds < 1 || at != end) unhealthy(&probe, "the second word is no number of milliseconds");
        probe.deadline = now() + (u64)milliseconds;
    }
    probe.address = address;
    if (length(address) > MAX_ADDRESS) unhealthy(&probe, "the address is too long");
    if (starts(address, "http://")) {
        probe_http(&probe, address + 7);
    } else if (starts(address, "grpc:")) {
        probe_grpc(&probe, address + 5);
    } else if (starts(address, "tcp:")) {
        if (*connected(&probe, address + 4, 0, &host_end)) unhealthy(&probe, "something follows the port");
    } else {
        unhealthy(&probe, "only http://, tcp: and grpc: are known");
    }
    leave(0);
}
