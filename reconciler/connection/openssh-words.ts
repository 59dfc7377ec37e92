/**
 * The words that start OpenSSH's client for a host: one place for here, for every hop of a chain, and for relays.
 * Invariant: what was declared is said; what nobody declared is left to ssh's own configuration; no secret is among the words.
 * Pure: nothing runs here.
 */

import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import { quoteAll } from './quote.ts';

/** The name under which pinned keys are listed, in a list that holds nothing else. */
export const pinnedAlias = 'towline-pinned';

/** What belongs to one hop, on the machine that runs ssh. */
export interface HopFiles {
  /** Gets the client's own messages, so that they do not mix with the host's. */
  readonly log?: string | undefined;
  /** Lists the pinned keys; without it a command lists them. */
  readonly pinned?: string | undefined;
  /** Socket that answers when the client asks for a password. */
  readonly ask?: string | undefined;
}

export interface WordOptions {
  /** Files of a hop; none on a relay. */
  readonly filesOf: (hop: ConnectionSpec) => HopFiles;
  /** Seconds for a connection and its handshake, where the spec says nothing. */
  readonly connectTimeout: number;
  /** Seconds between two questions; three may go unanswered. */
  readonly keepalive: number;
  /** Read instead of the account's own configuration. */
  readonly configFile?: string | undefined;
  /** The spec's paths are those of the machine that runs ssh. */
  readonly ownPaths: boolean;
}

/** Everything but the address and what to do there. */
export function clientWords(spec: ConnectionSpec, options: WordOptions): readonly string[] {
  const { log, ask } = options.filesOf(spec);
  const { unsaid, user } = spec;
  const keepalive = spec.ssh?.keepalive ?? { interval: options.keepalive, count: 3 };
  const timeout = spec.ssh?.connectTimeout ?? options.connectTimeout;
  return [
    'ssh',
    ...(options.configFile === undefined ? [] : ['-F', options.configFile]),
    ...(log === undefined ? [] : ['-v', '-E', log]),
    '-T',
    ...['-e', 'none', '-a', '-x'],
    ...settings({
      BatchMode: ask === undefined ? 'yes' : 'no',
      NumberOfPasswordPrompts: '1',
      ClearAllForwardings: 'yes',
      PermitLocalCommand: 'no',
      RemoteCommand: 'none',
      ConnectTimeout: String(Math.max(1, Math.ceil(timeout))),
      ServerAliveInterval: String(Math.max(1, Math.ceil(keepalive.interval))),
      ServerAliveCountMax: String(keepalive.count),
    }),
    ...(unsaid?.has('port') ? [] : ['-p', String(spec.port)]),
    ...(user === undefined ? [] : ['-l', user]),
    ...settings(trust(spec, options)),
    ...(options.ownPaths ? identity(spec) : []),
    ...wayWords(spec, options),
  ];
}

/** The words that end a command line: the address, and the one command for the login shell there. */
export function destination(spec: ConnectionSpec, command?: string): readonly string[] {
  return ['--', spec.address, ...(command === undefined ? [] : [command])];
}

/** The hosts of a chain, outermost first, the spec itself last. */
export function chainOf(spec: ConnectionSpec): readonly ConnectionSpec[] {
  return spec.via === undefined ? [spec] : [...chainOf(spec.via), spec];
}

/** A stream through the parent: ssh there runs in ssh here, so that every hop keeps its own settings. */
function wayWords(spec: ConnectionSpec, options: WordOptions): readonly string[] {
  if (spec.via === undefined || !options.ownPaths) return [];
  const { ask } = options.filesOf(spec.via);
  const words = [
    ...(ask === undefined ? [] : ['env', `${askVariable}=${ask}`]),
    ...clientWords(spec.via, options),
    ...settings({ ControlPath: 'none' }),
  ];
  const line = `${quoteAll(words).replaceAll('%', '%%')} -W '[%h]:%p' ${quoteAll(destination(spec.via)).replaceAll('%', '%%')}`;
  return settings({ ProxyCommand: line });
}

/** Names the socket to the program that ssh asks. */
export const askVariable = 'TOWLINE_ASK';

function trust(spec: ConnectionSpec, options: WordOptions): Readonly<Record<string, string>> {
  const files = options.ownPaths ? spec.ssh?.knownHostsFiles : undefined;
  const alias = spec.ssh?.hostKeyAlias;
  const known = {
    ...(alias === undefined ? {} : { HostKeyAlias: alias }),
    ...(files === undefined
      ? {}
      : { UserKnownHostsFile: fileList(files), GlobalKnownHostsFile: '/dev/null' }),
  };
  switch (spec.hostKeys) {
    case 'strict':
      return spec.unsaid?.has('hostKeys') ? known : { ...known, StrictHostKeyChecking: 'yes' };
    case 'accept-new':
      return { ...known, StrictHostKeyChecking: 'accept-new' };
    case 'ignore':
      return { ...onlyKnownFrom('/dev/null'), StrictHostKeyChecking: 'no' };
    case 'pinned': {
      const { pinned } = options.filesOf(spec);
      return {
        ...onlyKnownFrom(pinned === undefined ? '/dev/null' : fileList([pinned])),
        ...(pinned === undefined ? { KnownHostsCommand: printing(spec) } : {}),
        HostKeyAlias: pinnedAlias,
        StrictHostKeyChecking: 'yes',
      };
    }
    default:
      return spec.hostKeys satisfies never;
  }
}

function onlyKnownFrom(file: string): Readonly<Record<string, string>> {
  return { UserKnownHostsFile: file, GlobalKnownHostsFile: '/dev/null', UpdateHostKeys: 'no' };
}

/** The lines of a known_hosts file with the pinned keys only. */
export function pinnedLines(spec: ConnectionSpec): readonly string[] {
  return spec.pinnedKeys.map((key) => `${pinnedAlias} ${key.trim().split(/\s+/).slice(0, 2).join(' ')}`);
}

/** A command that prints them, for where we can put no file; keys hold nothing that a shell or ssh would replace. */
function printing(spec: ConnectionSpec): string {
  const lines = pinnedLines(spec).filter((line) => /^[A-Za-z0-9@ .+/=-]+$/.test(line));
  return `/bin/sh -c "${lines.map((line) => `echo ${line}`).join(';')}"`;
}

function identity(spec: ConnectionSpec): readonly string[] {
  const { identityFiles = [], certificateFiles = [], identitiesOnly, identityAgent } = spec.ssh ?? {};
  const keys = [...(spec.keyFile === undefined ? [] : [spec.keyFile]), ...identityFiles];
  return [
    ...keys.flatMap((path) => settings({ IdentityFile: pathValue(path) })),
    ...certificateFiles.flatMap((path) => settings({ CertificateFile: pathValue(path) })),
    ...settings({
      ...(identitiesOnly === undefined ? {} : { IdentitiesOnly: identitiesOnly ? 'yes' : 'no' }),
      ...(identityAgent === undefined ? {} : { IdentityAgent: pathValue(identityAgent) }),
    }),
  ];
}

function settings(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** A path as a value of ssh's configuration, which replaces percent signs and splits at blanks. */
function pathValue(path: string): string {
  return optionWord(path.replaceAll('%', '%%'));
}

function fileList(paths: readonly string[]): string {
  return paths.map(pathValue).join(' ');
}

function optionWord(text: string): string {
  return /[\s'"\\#]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text;
}
