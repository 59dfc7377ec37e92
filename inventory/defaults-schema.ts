/**
 * The keys of the defaults file: what each takes, what holds without it, and what it does.
 * Invariant: the check, the reference page and what a mistake is told are made from this one table.
 * Never gives a key that nothing heeds.
 */

import { z } from 'zod';
import { becomeMethods, hostKeyPolicies, transports } from './connection-spec.ts';
import { builtInDefaults, logLevels } from './defaults.ts';

/** What a person reads about a key. */
export interface KeyWords {
  readonly takes: string;
  readonly without: string;
  readonly does: string;
}

/** Words about schemas, for the reference page. */
const wordsOf = z.registry<KeyWords>();

function key<T extends z.ZodType>(schema: T, words: KeyWords): z.ZodOptional<T> {
  const optional = schema.optional();
  wordsOf.add(optional, words);
  return optional;
}

function text(pattern: RegExp, wanted: string): z.ZodType<string> {
  return z.string(`must be ${wanted}`).regex(pattern, `must be ${wanted}`);
}

function oneOf<const T extends readonly string[]>(words: T): z.ZodType<T[number]> {
  const error = `must be one of ${words.map((word) => `"${word}"`).join(', ')}`;
  return z.custom<T[number]>((value) => words.includes(value as string), { error });
}

function whole(least: number, most: number): z.ZodType<number> {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.int(error).min(least, error).max(most, error);
}

const account = text(/^[^\s\p{Cc}:/-][^\s\p{Cc}:/]{0,255}$/u, 'an account name');
const password = text(/^[^\0\r\n]+$/, 'a text of one line');
const path = text(/^(?:\/|~\/)[^\p{Cc}]+$/u, 'a path that begins with / or ~/');
const yesNo = z.boolean('must be true or false');
const { tuning, log } = builtInDefaults;

const ssh = z.strictObject(
  {
    username: key(account, {
      takes: 'an account name',
      without: 'the controller’s own',
      does: 'The account to log in as.',
    }),
    port: key(whole(1, 65_535), { takes: '1 to 65535', without: '22', does: 'The port to dial.' }),
    key: key(path, { takes: 'a path', without: 'none named', does: 'A private key on the controller.' }),
    password: key(password, {
      takes: 'text',
      without: 'none',
      does: 'The password to log in with; only in a file that nobody else can read.',
    }),
    password_file: key(path, {
      takes: 'a path',
      without: 'none',
      does: 'A file whose first line is the password; only its owner may be able to read it.',
    }),
    host_keys: key(oneOf(hostKeyPolicies.filter((policy) => policy !== 'pinned')), {
      takes: '`strict`, `accept-new`, `ignore`',
      without: '`strict`; `pinned` where the inventory pins keys',
      does: 'What to make of a host’s key.',
    }),
    known_hosts: key(
      z.union([path, z.array(path).min(1)], {
        error: 'must be a path, or a list of paths, that begin with / or ~/',
      }),
      {
        takes: 'a path, or a list of them',
        without: '`~/.ssh/known_hosts`, `/etc/ssh/ssh_known_hosts`',
        does: 'Where host keys are looked up; the first takes keys of `accept-new`.',
      },
    ),
    agent: key(text(/^(?:none|(?:\/|~\/)[^\p{Cc}]+)$/u, 'a path that begins with / or ~/, or "none"'), {
      takes: 'a path, or `none`',
      without: 'what `SSH_AUTH_SOCK` says',
      does: 'The socket of the ssh-agent.',
    }),
    transport: key(oneOf(transports), {
      takes: '`ssh`, `openssh`',
      without: '`ssh`',
      does: 'Who speaks SSH: Towline itself, or the OpenSSH client of the machine.',
    }),
    connect_timeout: key(whole(1, 3600), {
      takes: 'seconds',
      without: '10',
      does: 'How long a connection may take to be made.',
    }),
    keepalive_interval: key(whole(1, 3600), {
      takes: 'seconds',
      without: '15',
      does: 'The time between two questions to a quiet server.',
    }),
    keepalive_count: key(whole(1, 100), {
      takes: '1 to 100',
      without: '3',
      does: 'How many of these questions may go unanswered.',
    }),
  },
  { error: 'must be a table' },
);

const become = z.strictObject(
  {
    method: key(oneOf(becomeMethods), {
      takes: '`sudo`, `su`, `doas`',
      without: '`sudo`',
      does: 'The program to use once an account is asked for.',
    }),
    username: key(account, {
      takes: 'an account name',
      without: '`root`',
      does: 'The account to become where only a method is asked for. Makes no host become anybody.',
    }),
    password: key(password, {
      takes: 'text',
      without: 'none',
      does: 'What the program is told when it asks; only in a file that nobody else can read.',
    }),
    password_file: key(path, {
      takes: 'a path',
      without: 'none',
      does: 'A file whose first line is that password; only its owner may be able to read it.',
    }),
  },
  { error: 'must be a table' },
);

const tunings = z.strictObject(
  {
    connections: key(whole(1, 1000), {
      takes: '1 to 1000',
      without: String(tuning.connections),
      does: 'Connections and agents that may be starting at once.',
    }),
    per_bastion: key(whole(1, 1000), {
      takes: '1 to 1000',
      without: String(tuning.perBastion),
      does: 'How many of these may go through one bastion.',
    }),
    contexts_per_host: key(whole(1, 1000), {
      takes: '1 to 1000',
      without: String(tuning.contextsPerHost),
      does: 'Agents on one host, one for each account; beyond that the youngest idle one makes room.',
    }),
    idle_close: key(whole(0, 86_400), {
      takes: 'seconds; 0 for never',
      without: String(tuning.idleClose),
      does: 'Closes a line that nobody has used for so long.',
    }),
    heartbeat: key(whole(1, 60), {
      takes: '1 to 60 seconds',
      without: String(tuning.heartbeat),
      does: 'The time between two signs of life on a quiet line; a peer silent for three is lost.',
    }),
    attempts: key(whole(1, 100), {
      takes: '1 to 100',
      without: String(tuning.attempts),
      does: 'How often the opening of a line is tried where the failure may pass by itself.',
    }),
    start_timeout: key(whole(1, 3600), {
      takes: 'seconds',
      without: String(tuning.startTimeout),
      does: 'How long an agent may take to start; twice as long where it becomes another account.',
    }),
  },
  { error: 'must be a table' },
);

const runtime = z.strictObject(
  {
    path: key(text(/^\/[^\p{Cc}]*$/u, 'the absolute path of a Node on the hosts'), {
      takes: 'an absolute path',
      without: 'the first that works',
      does: 'The Node to use on every host.',
    }),
    ship: key(yesNo, {
      takes: '`true`, `false`',
      without: '`true`',
      does: 'Whether a host without a Node 18 or later gets one.',
    }),
    cache: key(yesNo, {
      takes: '`true`, `false`',
      without: '`true`',
      does: 'Whether a shipped Node stays on the host for the next time.',
    }),
  },
  { error: 'must be a table' },
);

const logs = z.strictObject(
  {
    level: key(oneOf(logLevels), {
      takes: logLevels.map((level) => `\`${level}\``).join(', '),
      without: `\`${log.level}\``,
      does: 'How much `towline run` writes to its log; `-v` makes it `debug`.',
    }),
    file: key(path, {
      takes: 'a path',
      without: 'the standard error stream',
      does: 'The file that the log of `towline run` is appended to.',
    }),
  },
  { error: 'must be a table' },
);

const sections = { ssh, become, tuning: tunings, runtime, log: logs };

export const defaultsFile = z.strictObject({
  ssh: ssh.optional(),
  become: become.optional(),
  tuning: tunings.optional(),
  runtime: runtime.optional(),
  log: logs.optional(),
});

/** The file as it is written, its form checked. */
export type DefaultsForm = z.infer<typeof defaultsFile>;

/** The keys that the table at a path may have. */
export function knownDefaults(at: readonly (string | number)[]): readonly string[] {
  if (at.length === 0) return Object.keys(sections);
  return Object.keys(sections[at[0] as keyof typeof sections]?.shape ?? {});
}

/** Every section with its keys and what is to be said of them, in the order of the file. */
export function describedDefaults(): readonly {
  readonly section: string;
  readonly keys: readonly (KeyWords & { readonly name: string })[];
}[] {
  return Object.entries(sections).map(([section, { shape }]) => ({
    section,
    keys: Object.entries(shape).map(([name, schema]) => ({ name, ...(wordsOf.get(schema) as KeyWords) })),
  }));
}
