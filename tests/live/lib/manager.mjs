// SPDX-License-Identifier: MIT
// A service manager that holds the listening sockets, and starts the program twice.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './process.mjs';
import { programs } from './stack.mjs';

// What a service manager does (sd_listen_fds(3)): it binds, and starts the program with the sockets
// from descriptor 3 on; the same ones for each start.
const script = `
use Socket; use POSIX;
$^F = 255;	# what is opened stays open over an exec
my ($program, $conf, @ports) = @ARGV;
my @sockets;
for my $port (@ports) {
	socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
	setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
	bind($s, sockaddr_in($port, INADDR_LOOPBACK)) or die "bind $port: $!";
	listen($s, 1024) or die;
	push @sockets, $s;
}
my $high = 100;
POSIX::dup2(fileno($_), $high++) for @sockets;
$SIG{USR1} = sub { };	# the program ends by a signal of the test's
for (1 .. 2) {
	my $pid = fork() // die;
	if ($pid == 0) {
		POSIX::dup2(100 + $_, 3 + $_) for 0 .. $#sockets;
		@ENV{qw(LISTEN_PID LISTEN_FDS LISTEN_FDNAMES)} = ($$, scalar @sockets, 'a:b');
		exec $program, '-c', $conf or die;
	}
	print STDERR "started $_ as $pid\\n";
	waitpid($pid, 0);
	print STDERR "gone $_ with $?\\n";
}
`;

// Listens at the ports. started(n): the number of the process that it has started as its n-th.
export function manage(stack, conf, ports) {
	const file = join(stack.dir, 'manager.pl');
	writeFileSync(file, script);
	const program = stack.program('manager', 'perl', [file, programs.tenantgate(), conf, ...ports]);
	return { program, started: (n) => until('it is started', () =>
		Number(new RegExp(`^started ${n} as (\\d+)$`, 'm').exec(program.text())?.[1])) };
}
