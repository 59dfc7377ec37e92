import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import { success } from '../../../agent/protocol/problem.ts';
import { agentBundle } from '../../../reconciler/connection/agent-bundle.ts';
import { agentRunner } from '../../../reconciler/connection/agent-runner.ts';
import { localRunner } from '../../../reconciler/connection/local.ts';
import { connectOpenssh } from '../../../reconciler/connection/openssh.ts';
import { ConnectionPool } from '../../../reconciler/connection/pool.ts';
import { connectSsh } from '../../../reconciler/connection/ssh.ts';
import { sshDeadlines } from '../../../reconciler/connection/ssh-connection.ts';
import { type OpenLine, runnerContract, type SshTransport, sshContract } from '../../contract/transport.ts';
import { localSpec, testPoolOptions } from '../../helpers/lines.ts';
import { hasSshd } from '../../helpers/sshd.ts';

function deadlines(each: number | undefined): typeof sshDeadlines {
  return each === undefined ? sshDeadlines : { ...sshDeadlines, tcp: each, handshake: each, auth: each };
}

const ssh2: SshTransport = {
  async connect(spec, { knownHosts, warnings, signal, deadline }) {
    const base = testPoolOptions(knownHosts, warnings).ssh;
    const options = { ...base, signal, deadlines: deadlines(deadline) };
    const parent = spec.via === undefined ? undefined : await connectParent(spec.via, options);
    const line = await connectSsh(spec, options, parent);
    if (!line.ok) return line;
    const { value } = line;
    return success({ runner: value, ended: value.ended, end: () => value.end('the test is over') });
  },
};

async function connectParent(
  spec: Parameters<typeof connectSsh>[0],
  options: Parameters<typeof connectSsh>[1],
): Promise<Parameters<typeof connectSsh>[2]> {
  const above = spec.via === undefined ? undefined : await connectParent(spec.via, options);
  const line = await connectSsh(spec, options, above);
  if (!line.ok) throw new Error(line.problem.message);
  return line.value;
}

const openssh: SshTransport = {
  async connect(spec, { knownHosts, warnings, signal, deadline }) {
    const line = await connectOpenssh(trusting(spec, knownHosts), {
      deadlines: deadlines(deadline),
      signal,
      onWarning: (host, warning) => warnings.push(`${host}: ${warning}`),
      configFile: '/dev/null',
    });
    if (!line.ok) return line;
    const { value } = line;
    const open: OpenLine = {
      runner: value,
      ended: value.ended,
      end: () => value.end('the test is over'),
    };
    return success(open);
  },
};

function trusting(spec: Parameters<SshTransport['connect']>[0], file: string): typeof spec {
  const via = spec.via === undefined ? undefined : trusting(spec.via, file);
  return { ...spec, via, ssh: { ...spec.ssh, knownHostsFiles: [file] } };
}

describe.skipIf(!hasSshd)('the transport by ssh2', () => sshContract(ssh2));

describe.skipIf(!hasSshd)('the transport by the OpenSSH client', () => sshContract(openssh));

describe('commands on the controller', () => runnerContract(async () => localRunner));

describe('commands through the agent of an open session', () => {
  const folder = mkdtempSync(join(tmpdir(), 'through-agent-'));
  const pool = new ConnectionPool({ ...testPoolOptions(join(folder, 'known_hosts')), bundle: agentBundle });
  afterAll(async () => {
    await pool.close('the test is over');
    rmSync(folder, { recursive: true });
  });
  runnerContract(async () => {
    const session = await pool.open(localSpec);
    if (!session.ok) throw new Error(session.problem.message);
    return agentRunner(session.value);
  });
});
