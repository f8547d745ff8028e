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
  # poll() and epoll_wait() before and after an answer has come.
  polls => sub {
    require IO::Poll;
    my ($create, $control, $wait) = (POSIX::uname())[4] eq 'aarch64' ? (20, 21, 22) : (291, 233, 281);
    # struct epoll_event has no gap on x86_64.
    my $event = $wait == 281 ? 'Lq' : 'Lx4q';
    my $socket = open_socket();
    my $family = family($socket);
    my $epoll = syscall($create, 0);
    my ($wanted, $got) = (pack($event, 1, 7), "\0" x 16);
    syscall($control, $epoll, 1, fileno $socket, $wanted) == 0 or die "epoll_ctl: $!";
    my $poll = IO::Poll->new;
    $poll->mask($socket => IO::Poll::POLLIN());
    my $ready = sub { my ($ms) = @_; join ' ', $poll->poll($ms / 1000), syscall($wait, $epoll, $got, 1, $ms, 0, 8) };
    print 'before: ', $ready->(0), "\n";
    put($socket, info($family));
    print 'with an answer and its acknowledgement: ', $ready->(5000), ' for ', (unpack($event, $got))[1], "\n";
    get($socket);
    print 'with the acknowledgement: ', $ready->(5000), "\n";
    get($socket);
    print 'after: ', $ready->(0), "\n";
  },
  # 500 children, 25 at a time, each with a socket of its own and with one of its parent's.
  forks => sub {
    my $shared = open_socket();
    my $family = family($shared);
    my $failed = 0;
    for (1 .. 20) {
      for (1 .. 25) {
        my $pid = fork() // die "fork: $!";
        next if $pid;
        my $own = open_socket();
        put($own, info($family));
        my $isRight = unpack('x4S', get($own)) == $family && errno(get($own)) == 0;
        POSIX::_exit($isRight ? 0 : 1);
      }
      while (wait() > 0) { $failed++ if $? }
    }
    put($shared, info($family));
    print "failed $failed, the parent's socket ", unpack('x4S', get($shared)) == $family ? 'works' : 'is broken', "\n";
  },
  # The socket options that were there before the netlink family, on the raw socket that they were made for.
  legacy => sub {
    socket(my $socket, 2, 3, 255) or die "socket: $!";
    my $service = sub { pack('Sx2C4nx2La16LLL', 6, 10, 7, 0, $_[0], 80, 0, 'rr', 0, 0, 0xffffffff) };
    my $set = sub { setsockopt($socket, 0, 1152 + $_[0], $_[1]) ? 'done' : "$!" };
    print 'add: ', $set->(2, $service->(1)), "\n";
    print 'add again: ', $set->(2, $service->(1)), "\n";
    print 'add a server: ', $set->(7, $service->(1) . pack('C4nx2LlLL', 10, 7, 1, 1, 8080, 0, 5, 0, 0)), "\n";
    print 'delete another: ', $set->(4, $service->(2)), "\n";
    print 'cut short: ', $set->(2, 'short'), "\n";
    my ($version, $size, $services) = unpack('LLL', getsockopt($socket, 0, 1152 + 1));
    printf "version %x, %d services\n", $version, $services;
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
  # Asks for the family once.
  info => sub {
    my $socket = open_socket();
    put($socket, genl(16, $REQUEST_ACK, 3, attr(2, "IPVS\0")));
    my $reply = get($socket);
    print unpack('x4S', $reply) == 16 ? 'there' : 'gone ' . errno($reply), "\n";
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
