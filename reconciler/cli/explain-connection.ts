/**
 * `towline explain HOST --connection`: resolves a connection as a run would, without opening it, and tells who says what.
 * Invariant: the same steps as a run: inventory, role and defaults first, then OpenSSH's configuration.
 * Contacts no host and writes nothing.
 */

import { type Checked, type Result, success } from '../../agent/protocol/problem.ts';
import { connectionFor } from '../../inventory/connection.ts';
import type { ConnectionWish } from '../../inventory/connection-spec.ts';
import { type BuiltIn, explainConnection, explainController } from '../../inventory/explain-connection.ts';
import { cliProblem } from '../base/problem-codes/cli.ts';
import { defaultKnownHosts } from '../connection/host-keys.ts';
import { ownCredentials } from '../connection/own-credentials.ts';
import { ownSshConfig, SshConfig } from '../connection/ssh-config.ts';
import { sshDeadlines } from '../connection/ssh-connection.ts';
import type { Environment } from '../policy/environment.ts';
import { roleNames } from '../steps/load-policy.ts';
import { type ExitStatus, exitStatus, type Invocation, type Surroundings } from './command.ts';
import { readFleet } from './fleet.ts';
import { refuse } from './refuse.ts';
import { type ConnectionData, connectionView } from './view/connection.ts';
import { type Workspace, withWorkspace } from './workspace.ts';

/** Explains the connection to a host, for a role's wish where one is named. */
export async function explainTheConnection(
  invocation: Invocation,
  { host, role }: { readonly host: string; readonly role: string | undefined },
): Promise<ExitStatus> {
  const about = { state: 'read' as const, worktree: invocation.options.worktree };
  const ended = await withWorkspace(invocation, about, async (workspace) => {
    const data = await connectionData(workspace, invocation, { host, role });
    if (!data.ok) return refuse(invocation, data.problems);
    workspace.output.document(data.value, (style) => connectionView(data.value, style));
    return exitStatus.done;
  });
  return typeof ended === 'number' ? ended : refuse(invocation, ended.refused);
}

async function connectionData(
  workspace: Workspace,
  { options, surroundings }: Invocation,
  { host, role }: { readonly host: string; readonly role: string | undefined },
): Promise<Checked<ConnectionData>> {
  const fleet = await readFleet(workspace, options, host);
  if (!fleet.ok) return fleet;
  const { inventory, environment } = fleet.value;
  const { defaults } = workspace.services;
  const connect = role === undefined ? success({}) : await wishOf(workspace, environment, { role, options });
  if (!connect.ok) return connect;
  const declared = connectionFor(inventory, host, connect.value, defaults);
  const resolved = declared.ok ? await resolve(declared.value, surroundings) : declared;
  if (!declared.ok || !resolved.ok)
    return { ok: false, problems: [declared, resolved].flatMap((part) => (part.ok ? [] : [part.problem])) };
  const hops = explainConnection({
    inventory,
    defaults,
    declared: declared.value,
    resolved: resolved.value,
    wish: role === undefined ? undefined : { role, connect: connect.value },
    builtIn: builtIn(surroundings),
  });
  return success({
    environment: environment.name,
    host,
    role,
    hops,
    controller: explainController(defaults),
  });
}

type Spec = Parameters<SshConfig['resolve']>[0];

function resolve(spec: Spec, { environment, home }: Surroundings): Promise<Result<Spec>> {
  return new SshConfig(ownSshConfig({ ...environment }, home)).resolve(spec);
}

/** What a role asks for; its code is loaded, no host's plan is made. */
async function wishOf(
  { services }: Workspace,
  environment: Environment,
  { role, options }: { readonly role: string; readonly options: Invocation['options'] },
): Promise<Checked<ConnectionWish>> {
  const snapshot = await services.snapshot(environment.branch, options.rev);
  if (!snapshot.ok) return { ok: false, problems: [snapshot.problem] };
  const isKnown = roleNames(snapshot.value, environment).includes(role);
  const loaded = isKnown ? await services.engine.load(snapshot.value, [role]) : undefined;
  if (loaded?.ok === false) return loaded;
  const found = loaded?.value.policy.roles.get(role);
  if (found !== undefined) return success(found.connect);
  const message = `${environment.name} has no role ${role}`;
  return { ok: false, problems: [cliProblem('cli.unknown-role', message)] };
}

function builtIn({ user, home, environment }: Surroundings): BuiltIn {
  const { defaultKeys, authSock } = ownCredentials({ ...environment });
  return {
    user,
    keys: defaultKeys,
    agent: authSock ?? 'none',
    knownHosts: defaultKnownHosts(home),
    connectTimeout: sshDeadlines.tcp / 1000,
    keepalive: { interval: sshDeadlines.keepalive / 1000, count: 3 },
  };
}
