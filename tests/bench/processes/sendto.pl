# What one core can hand to the kernel at most: sendto(2) in a loop, of datagrams of one size, to many sockets that nobody reads.
# Perl, because every Debian has it, a datagram costs it far less than the system call, and nothing has to be compiled.
# usage: sendto.pl SOCKETS BYTES SECONDS; prints datagrams, seconds, and seconds of CPU
use strict;
use warnings;
use Socket;
use Time::HiRes 'time';

my ($sockets, $bytes, $seconds) = @ARGV;
my (@sockets, @to);
for (1 .. $sockets) {
    socket(my $socket, PF_INET, SOCK_DGRAM, 17) or die "socket: $!";
    bind($socket, sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!";
    push @sockets, $socket;
    push @to, getsockname($socket);
}
socket(my $out, PF_INET, SOCK_DGRAM, 17) or die "socket: $!";
my $datagram = 'x' x $bytes;
# Until their buffers are full, as those of the relay's receivers are.
for (1 .. 300) { send($out, $datagram, 0, $_) or die "send: $!" for @to }
my ($sent, $began, $used) = (0, time, cpu());
while (time - $began < $seconds) {
    for (@to) { send($out, $datagram, 0, $_) or die "send: $!" }
    $sent += @to;
}
printf "%d %.6f %.6f\n", $sent, time - $began, cpu() - $used;

sub cpu { my ($user, $system) = times; return $user + $system }
