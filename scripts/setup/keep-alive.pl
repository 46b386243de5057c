# Holds a listening socket and starts the service on it again whenever that ends, as systemd's podman.socket does:
# Podman 4.3 may crash when a build is interrupted, and a caller then waits a moment instead of being refused.
#   perl keep-alive.pl SOCKET COMMAND...
use strict;
use warnings;
use POSIX ();
use Socket;

my ($path, @command) = @ARGV;
$^F = 255; # sockets stay open across exec
unlink $path;
socket(my $socket, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
bind($socket, sockaddr_un($path)) or die "$path: $!";
listen($socket, 128) or die "listen: $!";

my ($service, $ended);
$SIG{TERM} = $SIG{INT} = sub { $ended = 1; kill TERM => $service if $service };

until ($ended) {
    $service = fork // die "fork: $!";
    if ($service == 0) {
        $SIG{TERM} = $SIG{INT} = 'DEFAULT';
        POSIX::dup2(fileno($socket), 3);
        $ENV{LISTEN_FDS} = 1;
        $ENV{LISTEN_PID} = $$;
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    waitpid($service, 0);
    last if $ended || $? >> 8 == 127;
    print STDERR "$command[0] ended with status $?\n";
    select undef, undef, undef, 0.2;
}
unlink $path;
