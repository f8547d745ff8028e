"""Asks a kernel's IPVS family and writes every request with its reply datagrams as JSON Lines.

Run as root in a fresh network namespace with ip_vs and all schedulers loaded and no rules; see README.md.
Sequence number and port id are written as 0 where they are the request's."""
import json, socket, struct, time

link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
link.bind((0, 0))
PORT_ID = link.getsockname()[0]
SEQ = 0x51515151
NONE = object()


def attr(kind, data):
    return struct.pack('=HH', 4 + len(data), kind) + data + bytes(-len(data) % 4)


def u8(kind, value): return attr(kind, struct.pack('=B', value))
def u16(kind, value): return attr(kind, struct.pack('=H', value))
def be16(kind, value): return attr(kind, struct.pack('!H', value))
def u32(kind, value): return attr(kind, struct.pack('=I', value & 0xffffffff))
def text(kind, value): return attr(kind, value.encode() + b'\0')


def address(kind, value):
    raw = socket.inet_pton(socket.AF_INET6 if ':' in value else socket.AF_INET, value)
    return attr(kind, raw.ljust(16, b'\0'))


def message(kind, flags, payload, length=None):
    length = 16 + len(payload) if length is None else length
    return struct.pack('=IHHII', length, kind, flags, SEQ, PORT_ID) + payload


def collect(datagram):
    link.send(datagram)
    replies = []
    while True:
        try:
            replies.append(link.recv(1 << 20, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return replies


def masked(raw):
    return raw.replace(struct.pack('=II', SEQ, PORT_ID), bytes(8)).hex()


def raw_case(name, datagram):
    print(json.dumps({'name': name, 'request': masked(datagram), 'replies': [masked(r) for r in collect(datagram)]}))


first = collect(message(16, 1, struct.pack('=BBH', 3, 1, 0) + text(2, 'IPVS')))[0]
at = first.index(struct.pack('=HH', 6, 1))
FAMILY = struct.unpack('=H', first[at + 4:at + 6])[0]
print(json.dumps({'family': FAMILY}))
REQUEST, ACK, DUMP = 1, 4, 0x300


def ask(name, command, payload=b'', flags=REQUEST | ACK, version=1, reserved=0, family=None):
    head = struct.pack('=BBH', command, version, reserved)
    raw_case(name, message(FAMILY if family is None else family, flags, head + payload))


def service(drop=(), extra=b'', kind=0x8001, **given):
    """A full SERVICE attribute; a keyword gives a field's value, or its attribute if it is bytes."""
    f = dict(af=2, protocol=6, addr='10.0.0.1', port=80, sched='rr', flags=0, timeout=0, netmask=0xffffffff)
    f.update(given)
    if 'fwmark' in f:
        for key in ('protocol', 'addr', 'port'):
            del f[key]
    make = dict(af=lambda v: u16(1, v), protocol=lambda v: u16(2, v), addr=lambda v: address(3, v), port=lambda v: be16(4, v),
                fwmark=lambda v: u32(5, v), sched=lambda v: text(6, v), pe=lambda v: text(11, v),
                flags=lambda v: attr(7, struct.pack('=II', v & 0xffffffff, f.get('mask', 0xffffffff))),
                timeout=lambda v: u32(8, v), netmask=lambda v: u32(9, v))
    body = b''.join(v if isinstance(v, bytes) else make[k](v) for k, v in f.items() if k in make and k not in drop)
    return attr(kind, body + extra)


def dest(drop=(), **given):
    f = dict(addr='10.1.0.1', port=80, method=0, weight=1, upper=0, lower=0)
    f.update(given)
    make = dict(addr=lambda v: address(1, v), port=lambda v: be16(2, v), method=lambda v: u32(3, v), weight=lambda v: u32(4, v),
                upper=lambda v: u32(5, v), lower=lambda v: u32(6, v), af=lambda v: u16(11, v), tun=lambda v: u8(13, v),
                tunport=lambda v: be16(14, v), tunflags=lambda v: u16(15, v))
    return attr(0x8002, b''.join(v if isinstance(v, bytes) else make[k](v) for k, v in f.items() if k not in drop))


def daemon(*parts): return attr(0x8003, b''.join(parts))


def stop_daemon(name, kind):
    time.sleep(0.3)  # a thread that has not run yet ends with EINTR, and the kernel answers nothing
    ask(name, 10, daemon(u32(1, kind)))



NEW, SET, DEL, GET, NEWD, SETD, DELD, GETD, NEWS, DELS, GETS, SETC, GETC, SETI, INFO, ZERO, FLUSH = range(1, 18)
DUMPING = REQUEST | ACK | DUMP

# requests that are not about rules
ask('flush', FLUSH)
for n in (0, 14, 18, 30, 255):
    ask('unknown command %d' % n, n)
    ask('unknown command %d as a dump' % n, n, flags=DUMPING)
ask('info in another version', INFO, version=9)
ask('info with reserved bits', INFO, reserved=0x1234)
ask('info without ACK', INFO, flags=REQUEST)
ask('info without REQUEST', INFO, flags=ACK)
ask('info without any flag', INFO, flags=0)
ask('info with every other flag', INFO, flags=0xfcff)
ask('info with the ROOT half of DUMP', INFO, flags=REQUEST | 0x100)
ask('info with the MATCH half of DUMP', INFO, flags=REQUEST | 0x200)
ask('info as a dump', INFO, flags=DUMPING)
ask('info and ECHO', INFO, flags=REQUEST | 8)
for kind in (0, 1, 2, 3, 4, 15):
    raw_case('control message %d with ACK' % kind, message(kind, REQUEST | ACK, b'\1\2\3\4'))
    raw_case('control message %d' % kind, message(kind, REQUEST, b'\1\2\3\4'))
raw_case('family nobody has', message(0x3fff, REQUEST, struct.pack('=BBH', 1, 1, 0)))
raw_case('family nobody has, not a request', message(0x3fff, ACK, struct.pack('=BBH', 1, 1, 0)))
raw_case('family nobody has, as a dump', message(0x3fff, DUMPING, struct.pack('=BBH', 1, 1, 0)))
raw_case('family nobody has, no payload', message(0x3fff, REQUEST, b''))
whole = message(FAMILY, REQUEST, struct.pack('=BBH', INFO, 1, 0))
for n in (1, 4, 15):
    raw_case('%d bytes' % n, whole[:n])
for n in (16, 17, 18, 19):
    raw_case('message of %d bytes' % n, struct.pack('=I', n) + whole[4:n])
    raw_case('message of %d bytes with ACK' % n, struct.pack('=IHH', n, FAMILY, 5) + whole[8:n])
for n in (0, 1, 15, 21, 0x7fffffff, 0xffffffff):
    raw_case('length field %d' % n, struct.pack('=I', n) + whole[4:])
raw_case('two messages', whole + whole)
raw_case('a message and a short rest', whole + whole[:15])
raw_case('a message and zeros', whole + bytes(20))
raw_case('an error, then a message', message(FAMILY, 1, struct.pack('=BBH', 30, 1, 0)) + whole)
raw_case('odd length, then a message', message(FAMILY, 1, struct.pack('=BBHB', INFO, 1, 0, 7)) + bytes(3) + whole)

# the controller
def lookup(name, payload=b'', flags=REQUEST | ACK, command=3, version=1):
    raw_case(name, message(16, flags, struct.pack('=BBH', command, version, 0) + payload))
lookup('family by name', text(2, 'IPVS'))
lookup('family by name without ACK', text(2, 'IPVS'), flags=REQUEST)
lookup('family by number', u16(1, FAMILY))
lookup('family by number and another name', u16(1, FAMILY) + text(2, 'nobody'))
lookup('number that no family has', u16(1, 0x3fff))
lookup('name that no family has', text(2, 'nobody'))
lookup('name in another case', text(2, 'ipvs'))
lookup('name without NUL', attr(2, b'IPVS'))
lookup('name of 15 letters', text(2, 'a' * 15))
lookup('name of 16 letters', text(2, 'a' * 16))
lookup('name of 17 letters', text(2, 'a' * 17))
lookup('empty name', text(2, ''))
lookup('name with no bytes', attr(2, b''))
lookup('number of one byte', u8(1, 16))
lookup('number of four bytes', u32(1, FAMILY))
lookup('no family asked for', b'')
lookup('controller by name', text(2, 'nlctrl'))
lookup('controller by number', u16(1, 16))
lookup('controller command 1', text(2, 'IPVS'), command=1)
lookup('controller command 77', text(2, 'IPVS'), command=77)
lookup('controller command 77 as a dump', text(2, 'IPVS'), command=77, flags=DUMPING)
raw_case('controller, short payload', message(16, REQUEST | ACK, b'\3'))

# services
ask('get service, no attribute', GET)
ask('get service, none there', GET, service())
ask('dump services, none there', GET, flags=DUMPING)
ask('dump services, none there, without ACK', GET, flags=REQUEST | DUMP)
ask('dump services, empty service attribute', GET, attr(1, b''), flags=DUMPING)
ask('dump services, broken service attribute', GET, attr(1, b'\1'), flags=DUMPING)
ask('new service, no attribute', NEW)
ask('new service, empty attribute', NEW, attr(0x8001, b''))
ask('new service, attribute of one byte', NEW, attr(0x8001, b'\1'))
ask('new service, attribute of three bytes', NEW, attr(0x8001, b'\1\0\0'))
for key in ('af', 'protocol', 'addr', 'port', 'sched', 'flags', 'timeout', 'netmask'):
    ask('new service without ' + key, NEW, service(drop=(key,)))
for n in (0, 1, 7, 99, 0x100 + 2):
    ask('new service, family %d' % n, NEW, service(af=n))
ask('new service, family 7 and no scheduler', NEW, service(af=7, drop=('sched',)))
ask('new service, family 7 and no port', NEW, service(af=7, drop=('port',)))
for n in (0, 1, 47, 132, 262):
    ask('new service, protocol %d' % n, NEW, service(protocol=n, port=1))
ask('get service of protocol 262', GET, service(protocol=262, port=1))
ask('new service, unknown scheduler', NEW, service(sched='bogus'))
ask('new service, empty scheduler name', NEW, service(sched=''))
ask('new service, scheduler attribute without bytes', NEW, service(sched=attr(6, b'')))
ask('new service, scheduler without NUL', NEW, service(sched=attr(6, b'rr')))
ask('new service, scheduler and bytes after NUL', NEW, service(port=3001, sched=attr(6, b'rr\0x')))
ask('new service, scheduler of 15 letters', NEW, service(sched='a' * 15))
ask('new service, scheduler of 16 letters', NEW, service(sched='a' * 16))
ask('new service, scheduler of 17 letters', NEW, service(sched='a' * 17))
ask('new service, scheduler rr and 15 NULs', NEW, service(port=3002, sched=attr(6, b'rr' + bytes(15))))
ask('new service, scheduler none', NEW, service(port=81, sched='none'))
ask('get service without scheduler', GET, service(port=81))
ask('new service, unknown pe', NEW, service(pe='bogus'))
ask('new service, empty pe', NEW, service(port=3003, pe=''))
ask('new service, pe of 15 letters', NEW, service(pe='b' * 15))
ask('new service, pe of 16 letters', NEW, service(pe='b' * 16))
ask('new service, pe of 17 letters', NEW, service(pe='b' * 17))
ask('new service, pe sip on TCP', NEW, service(port=3004, pe='sip'))
ask('new service, pe sip on persistent UDP', NEW, service(protocol=17, port=5060, pe='sip', flags=1, timeout=60))
ask('get service with pe', GET, service(protocol=17, port=5060))
ask('new service, port 0 not persistent', NEW, service(port=0))
ask('new service, port 0 persistent', NEW, service(port=0, flags=1, timeout=300, addr='10.0.0.2'))
ask('new service', NEW, service())
ask('new service again', NEW, service())
ask('new service again, other scheduler', NEW, service(sched='wrr'))
ask('set service', SET, service(sched='wrr'))
ask('set service, unknown scheduler', SET, service(sched='bogus'))
ask('set service, none there', SET, service(port=99))
ask('set service, none there, no scheduler', SET, service(port=99, drop=('sched',)))
ask('set service without scheduler', SET, service(drop=('sched',)))
ask('set service, scheduler none', SET, service(sched='none'))
ask('set service, empty scheduler name', SET, service(sched=''))
ask('get service after scheduler changes', GET, service())
ask('set service, back to rr', SET, service())
ask('new IPv6 service, prefix 0', NEW, service(af=10, addr='2001:db8::1', netmask=0))
ask('new IPv6 service, prefix 129', NEW, service(af=10, addr='2001:db8::2', netmask=129))
ask('new IPv6 service', NEW, service(af=10, addr='2001:db8::2', netmask=128))
ask('get IPv6 service', GET, service(af=10, addr='2001:db8::2'))
ask('new service, mask 0', NEW, service(addr='10.0.0.9', netmask=0))
ask('new service, mask 255.255.255.0', NEW, service(addr='10.0.0.12', netmask=0x00ffffff, flags=1, timeout=60))
ask('get service with mask', GET, service(addr='10.0.0.12'))
ask('new service, fwmark 0', NEW, service(fwmark=0))
ask('get service, fwmark 0', GET, service(fwmark=0))
ask('get service, 0.0.0.0:0', GET, service(addr='0.0.0.0', port=0))
ask('new service, fwmark 5', NEW, service(fwmark=5))
ask('new service, fwmark 5 of IPv6', NEW, service(af=10, fwmark=5, netmask=128))
ask('get service, fwmark 5', GET, service(fwmark=5))
ask('new service, fwmark beside address', NEW, service(extra=u32(5, 6)))
ask('get service, fwmark 0xffffffff', GET, service(fwmark=0xffffffff))
ask('new service, timeout 0 persistent', NEW, service(addr='10.0.0.10', flags=1))
ask('new service, timeout 21474836', NEW, service(port=3005, flags=1, timeout=21474836))
ask('new service, timeout 21474837', NEW, service(port=3006, flags=1, timeout=21474837))
ask('new service, timeout -1', NEW, service(port=3008, flags=1, timeout=-1))
ask('new service, unknown flags', NEW, service(addr='10.0.0.11', flags=0xff00))
ask('get service with unknown flags', GET, service(addr='10.0.0.11'))
ask('set service, partial mask', SET, service(addr='10.0.0.11', flags=0, mask=0x0100))
ask('get service after partial mask', GET, service(addr='10.0.0.11'))
ask('new service, partial mask', NEW, service(port=3007, flags=0xff, mask=0x0f))
ask('get service of partial mask', GET, service(port=3007))
ask('get service of timeout -1', GET, service(port=3008))
ask('new service, address 0.0.0.0', NEW, service(addr='0.0.0.0'))

# attributes of odd sizes
for label, kind in (('af', 1), ('protocol', 2), ('addr', 3), ('port', 4), ('flags', 7), ('timeout', 8), ('netmask', 9)):
    good = {'af': b'\2', 'protocol': b'\6', 'addr': b'\x0a\0\0\1', 'port': b'\1\2', 'flags': b'', 'timeout': b'', 'netmask': b'\xff\xff\xff\xff'}[label]
    for size in (0, 1, 2, 3, 4, 8, 16, 17):
        odd = service(**{'addr': '10.0.9.9', 'port': 4000, label: attr(kind, good.ljust(20, b'\0')[:size])})
        ask('new service, %s of %d bytes' % (label, size), NEW, odd)
        ask('get it (%s of %d bytes)' % (label, size), GET, odd)
        ask('delete it (%s of %d bytes)' % (label, size), DEL, odd)
ask('new service, fwmark of two bytes', NEW, service(extra=attr(5, b'\1\0')))
ask('get service, twice the port', GET, service(port=9999, extra=be16(4, 80)))
ask('get service, unknown attributes', GET, service(extra=u32(0, 1) + u32(99, 1) + attr(10, b'') + attr(12, b'\1')))
ask('get service, stats of one byte', GET, service(extra=attr(10, b'\1')))
ask('get service, attribute with length 3 at the end', GET, service(extra=b'\3\0\1\0'))
ask('get service, attribute longer than the rest', GET, service(extra=b'\xff\0\2\0\1\2\3\4'))
ask('get service, nested bit on everything', GET, attr(0x8001, attr(0x8001, b'\2\0') + attr(0x8002, b'\6\0') + attr(0xc003, b'\x0a\0\0\1') + attr(0x4004, b'\0\x50')))
ask('get service, plain type', GET, service(kind=1))
ask('get service, two service attributes', GET, service(port=9999) + service())
ask('get service, bad timeout beside it', GET, service() + attr(4, b'\1'))
ask('get service, bad dest beside it', GET, service() + attr(2, b'\1'))
ask('get service, empty dest beside it', GET, service() + attr(2, b''))
ask('dump dests, bad timeout beside it', GETD, service() + attr(4, b'\1'), flags=DUMPING)

# destinations
ask('new dest, no service attribute', NEWD, dest())
ask('new dest, no dest attribute', NEWD, service())
ask('new dest, empty dest attribute', NEWD, service() + attr(2, b''))
ask('new dest, no such service', NEWD, service(port=99) + dest())
ask('new dest, no such service, no dest', NEWD, service(port=99))
ask('new dest, no such service, family 99', NEWD, service(port=99) + dest(af=99))
ask('new dest, family 7 of the service', NEWD, service(af=7) + dest())
ask('new dest, only the id of the service', NEWD, service(drop=('sched', 'flags', 'timeout', 'netmask')) + dest(addr='10.1.0.20'))
for key in ('addr', 'port', 'method', 'weight', 'upper', 'lower'):
    ask('new dest without ' + key, NEWD, service() + dest(drop=(key,)))
ask('new dest without weight, family 99', NEWD, service() + dest(drop=('weight',), af=99))
ask('new dest, weight -1', NEWD, service() + dest(weight=-1))
ask('new dest, weight -1 and family 99', NEWD, service() + dest(weight=-1, af=99))
ask('new dest, lower above upper', NEWD, service() + dest(upper=5, lower=9))
for n in (1, 4, 5, 6, 7, 0x107):
    ask('new dest, method %#x' % n, NEWD, service() + dest(addr='10.1.1.%d' % (n & 255), method=n))
ask('new dest', NEWD, service() + dest())
ask('new dest again', NEWD, service() + dest())
ask('set dest', SETD, service() + dest(weight=5))
ask('set dest, weight -1', SETD, service() + dest(weight=-1))
ask('set dest, none there', SETD, service() + dest(addr='10.9.9.9'))
ask('delete dest, none there', DELD, service() + dest(addr='10.9.9.9'))
ask('delete dest, no dest attribute', DELD, service())
ask('delete dest, family 99', DELD, service() + dest(af=99))
ask('delete dest, family 10', DELD, service() + dest(af=10))
ask('delete dest without port', DELD, service() + dest(drop=('port',)))
ask('set dest, no such service', SETD, service(port=99) + dest())
ask('delete dest, no such service', DELD, service(port=99) + dest())
ask('new dest, IPv6 by masquerading', NEWD, service() + dest(addr='2001:db8::5', af=10))
ask('new dest, IPv6 by tunnel', NEWD, service() + dest(addr='2001:db8::5', af=10, method=2))
ask('new dest, family 0', NEWD, service() + dest(addr='10.1.0.21', af=0))
ask('new dest, family 99', NEWD, service() + dest(addr='10.1.0.8', af=99))
ask('new dest, gue port 0', NEWD, service() + dest(addr='10.1.0.9', method=2, tun=1, tunport=0))
ask('new dest, gue without port', NEWD, service() + dest(addr='10.1.0.9', method=2, tun=1))
ask('new dest, gue port 6080 with remcsum', NEWD, service() + dest(addr='10.1.0.10', method=2, tun=1, tunport=6080, tunflags=2))
ask('new dest, tunnel type 9', NEWD, service() + dest(addr='10.1.0.11', method=2, tun=9, tunflags=0xffff))
ask('new dest, gue port 0 by masquerading', NEWD, service() + dest(addr='10.1.0.12', tun=1, tunport=0))
ask('new dest, 0.0.0.0', NEWD, service() + dest(addr='0.0.0.0'))
ask('new dest, 255.255.255.255', NEWD, service() + dest(addr='255.255.255.255'))
ask('new dest, 224.0.0.1', NEWD, service() + dest(addr='224.0.0.1'))
ask('new dest, port 0 by masquerading', NEWD, service() + dest(addr='10.1.0.13', port=0))
ask('new dest, other port by routing', NEWD, service() + dest(addr='10.1.0.14', port=81, method=3))
ask('new dest, address of four bytes', NEWD, service() + dest(addr=attr(1, b'\x0a\1\0\x16')))
ask('new dest, address of 17 bytes', NEWD, service() + dest(addr=attr(1, bytes(17))))
ask('new dest, port of one byte', NEWD, service() + dest(port=attr(2, b'\1')))
ask('new dest, weight of two bytes', NEWD, service() + dest(weight=attr(4, b'\1\0')))
ask('new dest, thresholds 0xffffffff', NEWD, service() + dest(addr='10.1.0.23', upper=0xffffffff, lower=0xffffffff, weight=0x7fffffff))
ask('get dest, no dump', GETD, service())
ask('dump dests', GETD, service(), flags=DUMPING)
ask('dump dests, only the id of the service', GETD, service(drop=('sched', 'flags', 'timeout', 'netmask')), flags=DUMPING)
ask('dump dests, no such service', GETD, service(port=99), flags=DUMPING)
ask('dump dests, no service attribute', GETD, flags=DUMPING)
ask('dump dests, family 7', GETD, service(af=7), flags=DUMPING)
ask('dump dests without ACK', GETD, service(), flags=REQUEST | DUMP)
ask('IPv6 service: new dest', NEWD, service(af=10, addr='2001:db8::2') + dest(addr='2001:db8::22', method=3))
ask('IPv6 service: dump dests', GETD, service(af=10, addr='2001:db8::2'), flags=DUMPING)

# counters, timeouts
ask('zero everything', ZERO)
ask('zero, no such service', ZERO, service(port=99))
ask('zero a service', ZERO, service())
ask('zero, empty service attribute', ZERO, attr(1, b''))
ask('zero, family 7', ZERO, service(af=7))
ask('set timeouts, none given', SETC)
ask('set timeouts to 0', SETC, u32(4, 0) + u32(5, 0) + u32(6, 0))
ask('set timeouts too high', SETC, u32(4, 0x7fffffff))
ask('set timeouts to 21474836', SETC, u32(4, 21474836))
ask('set timeouts to 21474837', SETC, u32(5, 21474837))
ask('set timeouts to -1', SETC, u32(6, -1))
ask('set timeouts, two bytes', SETC, attr(4, b'\1\0'))
ask('set one timeout', SETC, u32(4, 100))
ask('get timeouts', GETC)
ask('get timeouts as a dump', GETC, flags=DUMPING)

# synchronisation daemons
state, name, number = u32(1, 1), text(2, 'lo'), u32(3, 5)
ask('daemon while a mixed service exists', NEWS, daemon(state, name, number))
ask('flush the rules', FLUSH)
ask('new daemon, no attribute', NEWS)
ask('new daemon, empty attribute', NEWS, daemon())
ask('new daemon without state', NEWS, daemon(name, number))
ask('new daemon without interface', NEWS, daemon(state, number))
ask('new daemon without number', NEWS, daemon(state, name))
ask('new daemon, unknown interface', NEWS, daemon(state, text(2, 'nosuch0'), number))
ask('new daemon, interface of 15 letters', NEWS, daemon(state, text(2, 'n' * 15), number))
ask('new daemon, interface of 16 letters', NEWS, daemon(state, text(2, 'n' * 16), number))
ask('new daemon, empty interface', NEWS, daemon(state, text(2, ''), number))
ask('new daemon, state 7', NEWS, daemon(u32(1, 7), name, number))
ask('new daemon, state 3', NEWS, daemon(u32(1, 3), name, number))
ask('new daemon, both groups', NEWS, daemon(state, name, number, attr(5, b'\xe0\0\0\x51'), address(6, 'ff02::51')))
ask('dump daemons, both groups given', GETS, flags=DUMPING)
stop_daemon('delete the daemon of both groups', 1)
ask('new daemon, group of two bytes', NEWS, daemon(state, name, number, attr(5, b'\xe0\0')))
ask('new daemon, group 10.0.0.1', NEWS, daemon(state, name, number, attr(5, b'\x0a\0\0\1')))
ask('new daemon, group of 4 bytes for IPv6', NEWS, daemon(state, name, number, attr(6, b'\xff\2\0\0')))
ask('new daemon, group 2001:db8::1', NEWS, daemon(state, name, number, address(6, '2001:db8::1')))
ask('new daemon, maxlen of one byte', NEWS, daemon(state, name, number, attr(4, b'\1')))
ask('new daemon, port of one byte', NEWS, daemon(state, name, number, attr(7, b'\1')))
ask('new daemon, ttl without bytes', NEWS, daemon(state, name, number, attr(8, b'')))
ask('delete daemon, none there', DELS, daemon(state))
ask('delete daemon, no attribute', DELS)
ask('delete daemon without state', DELS, daemon(name, number))
ask('delete daemon, state 7', DELS, daemon(u32(1, 7)))
ask('dump daemons, none there', GETS, flags=DUMPING)
ask('get daemons, no dump', GETS)
ask('new master', NEWS, daemon(state, name, number))
ask('new master again', NEWS, daemon(state, name, number))
ask('dump daemons, master', GETS, flags=DUMPING)
ask('new backup with everything', NEWS, daemon(u32(1, 2), name, u32(3, 300), u16(4, 1400), attr(5, b'\xef\1\1\1'), u16(7, 9000), u8(8, 3)))
ask('dump daemons, both', GETS, flags=DUMPING)
stop_daemon('delete backup', 2)
stop_daemon('delete master', 1)
ask('delete master again', DELS, daemon(state))
ask('new backup of IPv6', NEWS, daemon(u32(1, 2), name, number, address(6, 'ff02::51'), u8(8, 0), u16(7, 0)))
ask('dump daemons, backup of IPv6', GETS, flags=DUMPING)
stop_daemon('delete backup of IPv6', 2)

# the rest
ask('new service before flushing', NEW, service())
ask('dump services, one there', GET, flags=DUMPING)
ask('dump services, one there, without ACK', GET, flags=REQUEST | DUMP)
ask('delete service, none there', DEL, service(port=99))
ask('delete service, no attribute', DEL)
ask('delete service by its id', DEL, service(drop=('sched', 'flags', 'timeout', 'netmask')))
ask('delete service again', DEL, service())
ask('flush without REQUEST', FLUSH, flags=ACK)
ask('flush without ACK', FLUSH, flags=REQUEST)
