/**
 * The problem codes of the line to a host: ssh, become, runtime and the line itself.
 * Invariant: docs/problems.md lists exactly these; a test compares both directions.
 * Never reuse a code for a second meaning.
 */

import { defineProblems, type ProblemKind } from '../../../agent/protocol/problem.ts';

const stalled = (hint: string): ProblemKind => ({ disposition: 'stalled', hint });
const retry = (hint: string): ProblemKind => ({ disposition: 'retry', hint });
const defect = (hint: string): ProblemKind => ({ disposition: 'defect', hint });

export const connectionProblems = {
  'ssh.unreachable': retry(
    'Check that the host is up, its address and port, and the way there; it is tried again.',
  ),
  'ssh.handshake-failed': retry(
    'Something answered, but the SSH handshake did not finish; see what listens there.',
  ),
  'ssh.dropped': retry(
    'The server has too many logins under way (MaxStartups in its sshd_config), or is no SSH server; fewer are begun at once now.',
  ),
  'ssh.auth-refused': stalled(
    'Give towline_ssh_key or an ssh-agent a key that the account’s authorized_keys names.',
  ),
  'ssh.auth-timeout': retry('The server took too long to decide; look at its authentication log.'),
  'ssh.key-unreadable': stalled(
    'Check the path in towline_ssh_key, its permissions, and that it is a private key.',
  ),
  'ssh.key-locked': stalled(
    'Load the key into an ssh-agent (ssh-add), or run Towline at a terminal, where it asks for the passphrase once.',
  ),
  'ssh.prompt-unanswered': stalled(
    'Set towline_ssh_password if it asks for the password; for a one-time code run Towline at a terminal, or give the account a key.',
  ),
  'ssh.host-key-unknown': stalled(
    'Run `towline hosts trust HOST`, which shows the host’s keys and records them, or use accept-new for the first contact.',
  ),
  'ssh.host-key-changed': stalled(
    'If the host was really set up anew, remove the old line; otherwise someone may be in between.',
  ),
  'ssh.host-key-not-pinned': stalled('List the host’s present key in towline_pinned_keys if you trust it.'),
  'ssh.host-key-revoked': stalled('This key was marked as revoked: give the host a new host key.'),
  'ssh.host-ca-unsupported': stalled(
    'Set towline_transport = "openssh", which understands host certificates, or trust the host’s plain key too (towline hosts trust).',
  ),
  'ssh.known-hosts-unreadable': stalled('Make the known_hosts file readable (and writable for accept-new).'),
  'ssh.config-invalid': stalled(
    'Correct OpenSSH’s configuration where ssh says it is wrong; `ssh -G HOST` shows the same.',
  ),
  'ssh.config-no-program': stalled(
    'Install the OpenSSH client, or declare these settings in the inventory, which comes first.',
  ),
  'ssh.proxy-command': stalled(
    'Set towline_transport = "openssh" for this host, which runs the command as ssh does, or name a bastion in towline_via.',
  ),
  'ssh.jump-cycle': stalled(
    'Leave the jump host out of the Host pattern that has the ProxyJump: `Host * !bastion`.',
  ),
  'ssh.channel-refused': retry(
    'The server opened no channel: see MaxSessions, AllowTcpForwarding and forced commands in its sshd_config.',
  ),
  'become.wrong-password': stalled(
    'Correct towline_become_password; su says the same of an account that is locked.',
  ),
  'become.password-required': stalled(
    'Set towline_become_password, or allow the account without a password (NOPASSWD); sudo asks before it says who may.',
  ),
  'become.not-permitted': stalled('Allow the login account to become this user in sudoers (or doas.conf).'),
  'become.tty-required': stalled('Remove requiretty for this account: Towline asks for no terminal.'),
  'become.unavailable': stalled('Install the program on the host, or choose another towline_become method.'),
  'become.account-expired': stalled(
    'Renew the account or its password on the host (chage, passwd): it has expired or is locked.',
  ),
  'become.misconfigured': stalled(
    'Mend how the program is installed or configured on the host; the line it printed says what is wrong.',
  ),
  'become.no-shell': stalled(
    'Use sudo or doas for this account: su runs nothing for one whose shell is not in /etc/shells.',
  ),
  'become.other-question': stalled(
    'Only a password can be answered: spare the account other questions, such as a one-time code.',
  ),
  'become.unknown-user': stalled('Create the account on the host first, or correct towline_become_username.'),
  'ssh.client-missing': stalled(
    'Install the OpenSSH client (package openssh-client) where the connection starts from.',
  ),
  'ssh.client-refused': stalled('Mend what ssh complains of; ssh -G HOST shows what it reads.'),
  'ssh.client-failed': retry(
    'The OpenSSH client gave up; its last lines are shown, and ssh -v to the host shows more.',
  ),
  'ssh.password-not-relayed': stalled(
    'Give the relay’s account a key for this host, or set towline_relay = false on the relay: passwords stay on the controller.',
  ),
  'container.missing': stalled('Create the container, or correct its name in towline_host.'),
  'container.not-running': retry('Start the container; it is tried again.'),
  'container.not-permitted': stalled(
    'Let the account that runs the container’s program use it: often root, by towline_become on the host it goes via.',
  ),
  'container.unreachable': retry(
    'The service that runs the containers did not answer; see that it is running and its address is right.',
  ),
  'container.no-program': stalled(
    'Install the program where the container is entered from, or name that host in towline_via.',
  ),
  'container.no-shell': stalled('The image needs a POSIX sh; add one, or use an image that has it.'),
  'runtime.missing': stalled(
    'Install Node 18 or newer on the host (package nodejs), or name its path in towline_runtime.',
  ),
  'runtime.too-old': stalled(
    'Node 18 is the oldest that works; install a newer one or name it in towline_runtime.',
  ),
  'runtime.would-ship': stalled(
    'This asks only and writes nothing: `towline apply` ships a Node to the host first, or install one there.',
  ),
  'runtime.musl': stalled('Install the distribution’s own Node on the host: on Alpine, `apk add nodejs`.'),
  'runtime.no-glibc': stalled(
    'Install a Node that runs on this system, or name the path of one in towline_runtime.',
  ),
  'runtime.unknown-platform': stalled(
    'Nodes are shipped to Linux on x64 and arm64 only; install one on this host by its own means.',
  ),
  'runtime.libc-too-old': stalled(
    'Upgrade the host’s system, or install a Node 18 that was built for its older glibc.',
  ),
  'runtime.no-libstdcxx': stalled('Install the C++ library on the host (package libstdc++6 or libstdc++).'),
  'runtime.no-place': stalled(
    'Give the account a home where programs may run, or install Node from the host’s packages.',
  ),
  'runtime.no-space': stalled('Make room in the account’s home or in /var/tmp.'),
  'runtime.no-build': stalled(
    'Connect this machine to the npm registry once, or install the package named here beside Towline.',
  ),
  'runtime.probe-failed': retry('It is asked again; see what the host printed instead of an answer.'),
  'runtime.upload-failed': retry('What arrived was removed again; the next attempt starts anew.'),
  'runtime.damaged': retry('The copy kept here is made anew for the next attempt.'),
  'runtime.cannot-run': stalled(
    'The shipped Node does not run on this host: see its last lines, and install one from the host’s packages.',
  ),
  'runtime.no-agent': defect('The agent’s code cannot be built or read here; run the build again.'),
  'line.no-marker': stalled(
    'The login shell printed something else instead; look for programs started at login.',
  ),
  'line.start-timeout': retry(
    'The host accepted the command but the agent did not start in time; is it overloaded?',
  ),
  'line.start-failed': stalled('The command that starts the agent ended at once; its last lines are shown.'),
  'line.lost': retry('The line broke; the agent keeps a journal, and the next session learns what was done.'),
  'line.silent': retry('Nothing was heard for three heartbeats; the host or the network between is down.'),
  'line.closed': retry('The line was closed from here; open it again.'),
  'line.call-timeout': retry('The agent is alive but did not answer this call in its time.'),
  'line.cancelled': retry('It was cancelled from here before it was done.'),
  'line.flooded': defect('The agent sent more than it may without being asked; the context was dropped.'),
} as const satisfies Record<string, ProblemKind>;

export type ConnectionProblemCode = keyof typeof connectionProblems;

/** Makes a problem with one of the connection's codes. */
export const connectionProblem = defineProblems<ConnectionProblemCode>(connectionProblems);
