# A client of the family IPVS that speaks generic netlink by hand: perl netlink-client.pl MODE
use strict;
use warnings;
use Errno qw(EINTR EAGAIN);
use Fcntl;
use POSIX ();
use Time::HiRes qw(setitimer ITIMER_REAL usleep);

$| = 1;
my ($AF_NETLINK, $SOCK_RAW, $GENERIC, $REQUEST_ACK) = (16, 3, 16, 5);
my $seq = 0;

sub attr { my ($type, $value) = @_; my $raw = pack('SS', 4 + length $value, $type) . $value; $raw . "\0" x (-length($raw) % 4) }
sub message { my ($type, $flags, $payload) = @_; pack('LSSLL', 16 + length $payload, $type, $flags, ++$seq, 0) . $payload }
sub genl { my ($type, $flags, $command, @attrs) = @_; message($type, $flags, pack('CCS', $command, 1, 0) . join('', @attrs)) }
sub retry { my ($call) = @_; my $result; do { $result = $call->() } until defined $result || $! != EINTR; die "failed: $!" unless defined $result; $result }
sub put { my ($socket, $bytes) = @_; retry(sub { send($socket, $bytes, 0) }) }
sub get { my ($socket) = @_; my $reply; retry(sub { recv($socket, $reply, 32768, 0) }); $reply }
sub errno { my ($reply) = @_; unpack('x16l', $reply) }
sub open_socket { socket(my $socket, $AF_NETLINK, $SOCK_RAW, $GENERIC) or die "socket: $!"; $socket }
sub family {
  my ($socket) = @_;
  put($socket, genl(16, $REQUEST_ACK, 3, attr(2, "IPVS\0")));
  my $reply = get($socket);
  get($socket);
  my $at = index($reply, "\x06\0\x01\0");
  unpack('S', substr($reply, $at + 4, 2));
}
sub service { my ($i) = @_; attr(1, attr(1, pack('S', 2)) . attr(2, pack('S', 6)) . attr(3, pack('C4x12', 10, 9, $i >> 8, $i & 255)) . attr(4, pack('n', 80)) . attr(6, "rr\0") . attr(7, pack('LL', 0, 0xffffffff)) . attr(8, pack('L', 0)) . attr(9, pack('L', 0xffffffff))) }
sub info { my ($family) = @_; genl($family, $REQUEST_ACK, 15) }

my %modes = (
  # 300 creations under an interval timer: each reply belongs to its request and reports success.
  signals => sub {
    my $count = 0;
    $SIG{ALRM} = sub { $count++ };
    my $socket = open_socket();
    my $family = family($socket);
    setitimer(ITIMER_REAL, 0.0005, 0.0005);
    my $wrong = 0;
    for my $i (1 .. 300) {
      put($socket, genl($family, $REQUEST_ACK, 1, service($i)));
      my $reply = get($socket);
      $wrong++ if errno($reply) != 0 || unpack('x8L', $reply) != $seq;
    }
    setitimer(ITIMER_REAL, 0);
    print "wrong $wrong, ", $count > 20 ? 'many' : "only $count", " signals\n";
  },
  # Requests that no program should make, with the kernel's answers.
  malformed => sub {
    my $socket = open_socket();
    my $family = family($socket);
    my $say = sub { my ($name, $bytes) = @_; put($socket, $bytes); print "$name: ", errno(get($socket)), "\n" };
    $say->('unknown command', genl($family, $REQUEST_ACK, 99));
    $say->('no attributes', genl($family, $REQUEST_ACK, 1));
    $say->('no command', message($family, $REQUEST_ACK, ''));
    $say->('cut attribute', genl($family, $REQUEST_ACK, 1, pack('SS', 400, 1)));
    $say->('dump of what has none', genl($family, $REQUEST_ACK | 0x300, 13));
    $say->('unknown family', genl(1000, $REQUEST_ACK, 1));
    $say->('not a request', message($family, 4, pack('CCS', 1, 1, 0)));
    put($socket, "\1\2\3");
    put($socket, pack('LSSLL', 4000, $family, 5, 7, 0) . "\0" x 8);
    $say->('still works', genl($family, $REQUEST_ACK, 17));
    put($socket, genl($family, $REQUEST_ACK, 99) . genl(1000, $REQUEST_ACK, 1) . genl($family, $REQUEST_ACK, 17));
    print 'three in one: ', join(' ', map { errno(get($socket)) } 1 .. 3), "\n";
    print 'too long: ', defined send($socket, genl($family, $REQUEST_ACK, 1, "\0" x 900000), 0) ? 'sent' : "$!", "\n";
  },
  # Ways to receive.
  receive => sub {
    my $socket = open_socket();
    my $family = family($socket);
    my $flags = fcntl($socket, F_GETFL, 0);
    fcntl($socket, F_SETFL, $flags | O_NONBLOCK);
    print 'nothing: ', defined recv($socket, my $nothing, 100, 0) ? 'received' : "$!", "\n";
    put($socket, info($family));
    my $bits = '';
    vec($bits, fileno $socket, 1) = 1;
    print 'select: ', scalar select(my $ready = $bits, undef, undef, 5), "\n";
    recv($socket, my $peeked, 16384, 2);
    recv($socket, my $short, 20, 2);
    recv($socket, my $whole, 16384, 0);
    print 'peek: ', $peeked eq $whole && $short eq substr($whole, 0, 20) ? 'same' : 'differs', "\n";
    my $sender = recv($socket, my $ack, 16384, 0);
    print 'ack: ', errno($ack), ' from ', join(' ', unpack('SSLL', $sender)), "\n";
    print 'end: ', defined recv($socket, my $end, 100, 0) ? 'received' : "$!", "\n";
    put($socket, info($family));
    sysread($socket, my $cut, 24);
    sysread($socket, my $next, 16384);
    print 'a cut datagram: ', length $cut, ', next ', errno($next), "\n";
    syswrite($socket, info($family));
    sysread($socket, my $written, 16384);
    print 'by write: ', $written eq $whole ? 'same' : length $written == length $whole ? 'as long' : 'differs', "\n";
    sysread($socket, $next, 16384);
    open(my $copy, '+<&', $socket) or die "dup: $!";
    put($copy, info($family));
    my $got = get($socket);
    print 'through a copy: ', length $got == length $whole ? 'same' : 'differs', "\n";
    my $mine = unpack('x12L', $whole);
    my $name = getsockname($socket);
    print 'port: ', $mine == (unpack('SSL', $name))[2] && $mine != 0 ? 'own' : "other $mine", "\n";
  },
  # A dump into a receive buffer that holds less than all of it.
  small => sub {
    my $socket = open_socket();
    setsockopt($socket, 1, 8, pack('l', 2304)) or die "setsockopt: $!";
    my $family = family($socket);
    put($socket, genl($family, 1 | 0x300, 4));
    my ($services, $done) = (0, 0);
    until ($done) {
      my $reply = get($socket);
      for (my $at = 0; $at < length $reply;) {
        my ($length, $type) = unpack('LS', substr($reply, $at));
        $type == 3 ? $done = 1 : $services++;
        $at += ($length + 3) & ~3;
      }
    }
    print "services $services\n";
  },
  # Many sockets at once, more than there is room for.
  many => sub {
    my @sockets = map { open_socket() } 1 .. 100;
    my $family = family($sockets[0]);
    put($_, info($family)) for @sockets;
    my %lengths = map { length get($_) => 1 } @sockets;
    print 'lengths ', scalar keys %lengths, "\n";
  },
  # One thread waits for what another one asks for.
  threads => sub {
    require threads;
    my $socket = open_socket();
    my $family = family($socket);
    my $reader = threads->create(sub { my @errnos; for (1 .. 50) { get($socket); push @errnos, errno(get($socket)) } join('', @errnos) });
    usleep(200_000);
    for (1 .. 50) { put($socket, info($family)); usleep(1000) }
    print 'read by another thread: ', $reader->join() eq '0' x 50 ? 'all' : 'not all', "\n";
  },
  # A signal ends waiting.
  alarm => sub {
    my $socket = open_socket();
    family($socket);
    $SIG{ALRM} = sub { die "alarm\n" };
    alarm 1;
    eval { recv($socket, my $nothing, 100, 0); 1 } or print "interrupted by $@";
  },
  # Asks until it is told to stop, and tells changes of the answer.
  loop => sub {
    my $last = '';
    for (1 .. 400) {
      my $socket = open_socket();
      put($socket, genl(16, $REQUEST_ACK, 3, attr(2, "IPVS\0")));
      my $reply = get($socket);
      my $state = unpack('x4S', $reply) == 16 ? 'there' : 'gone ' . errno($reply);
      print "$state\n" if $state ne $last;
      $last = $state;
      usleep(20_000);
    }
  },
);
$modes{ $ARGV[0] }->();
