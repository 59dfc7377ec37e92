/**
 * Kind → which parameters there are and how they become what the host gets. Complete over every kind by type.
 * Invariant: a parameter that the authoring API has and this table lacks (or the reverse) does not compile.
 * Values are checked by the shape afterwards; here is only what a shape cannot see.
 */

import type { Kind } from '../../../agent/protocol/kind.ts';
import type * as account from '../authoring/account.ts';
import type { CommandParameters } from '../authoring/command.ts';
import type * as control from '../authoring/control.ts';
import type * as directory from '../authoring/directory.ts';
import type * as file from '../authoring/file.ts';
import type * as line from '../authoring/line.ts';
import type { MetaParameters } from '../authoring/resource.ts';
import type * as software from '../authoring/software.ts';
import { messageParts } from './message-parts.ts';
import type { Tools } from './tools.ts';

export type Values = Readonly<Record<string, unknown>>;

/** The parameters of each kind, as the authoring API types them. */
interface ParametersOf {
  file: file.FileParameters;
  template: file.TemplateParameters;
  directory: directory.DirectoryParameters;
  link: directory.LinkParameters;
  line: line.LineParameters & { path: string };
  block: line.BlockParameters & { path: string };
  package: software.PackageParameters;
  service: software.ServiceParameters;
  user: account.UserParameters;
  group: account.GroupParameters;
  authorizedKey: account.AuthorizedKeyParameters;
  command: CommandParameters;
  echo: control.EchoParameters;
  assert: control.AssertParameters;
  stop: control.StopParameters;
}

export interface KindBuilder<K extends Kind> {
  readonly parameters: Readonly<Record<Exclude<keyof ParametersOf[K], keyof MetaParameters>, true>>;
  /** What the host gets; undefined members are left out. */
  build(name: string, values: Values, tools: Tools): Values;
}

const ownership = { owner: true, group: true, mode: true } as const;
const written = { state: true, createOnly: true, validate: true, backup: true, ...ownership } as const;
const textPart = {
  state: true,
  after: true,
  before: true,
  create: true,
  validate: true,
  backup: true,
} as const;

export const kindBuilders: { readonly [K in Kind]: KindBuilder<K> } = {
  file: {
    parameters: { content: true, from: true, ...written },
    build: (path, { content, from, ...rest }, tools) => ({
      path,
      ...present(rest),
      content: fileContent(content, from, tools),
    }),
  },
  template: {
    parameters: { from: true, vars: true, ...written },
    build: (path, { from, vars, ...rest }, tools) => {
      if (rest.state === 'absent') return { path, ...rest };
      if (typeof from !== 'string') tools.problem('policy.bad-parameter', 'from must name a template');
      const rendered = typeof from === 'string' ? tools.template(from, (vars ?? {}) as Values) : undefined;
      return { path, ...present(rest), ...rendered };
    },
  },
  directory: {
    parameters: { state: true, from: true, purge: true, force: true, ...ownership },
    build: (path, { from, ...rest }, tools) => ({
      path,
      ...present(rest),
      tree: typeof from === 'string' ? tools.tree(from) : undefined,
    }),
  },
  link: {
    parameters: { state: true, target: true, force: true },
    build: (path, values, tools) => {
      if (values.state !== 'absent' && values.target === undefined) {
        tools.problem('policy.bad-parameter', 'target is missing');
      }
      return { path, ...present(values) };
    },
  },
  line: {
    parameters: { path: true, line: true, match: true, ...textPart, ...ownership },
    build: (_, values) => present(values),
  },
  block: {
    parameters: { path: true, block: true, name: true, comment: true, ...textPart, ...ownership },
    build: (_, { name = 'towline', comment = '#', block = '', ...rest }) => ({
      ...present(rest),
      block,
      begin: `${comment} BEGIN ${name}`,
      end: `${comment} END ${name}`,
    }),
  },
  package: {
    parameters: { state: true, version: true, refreshAfter: true, purge: true },
    build: (name, values, tools) => {
      if (values.state === 'latest' && values.version !== undefined) {
        tools.problem('policy.bad-parameter', "state 'latest' and version exclude each other");
      }
      return { package: name, ...present(values) };
    },
  },
  service: {
    parameters: { state: true, enabled: true, masked: true, daemonReload: true },
    build: (unit, values) => ({ unit, ...values }),
  },
  user: {
    parameters: {
      ...{ state: true, uid: true, group: true, groups: true, appendGroups: true, comment: true, home: true },
      ...{ createHome: true, shell: true, system: true, passwordHash: true, locked: true, removeHome: true },
    },
    build: (user, values) => ({ user, ...present(values) }),
  },
  group: {
    parameters: { state: true, gid: true, system: true },
    build: (group, values) => ({ group, ...present(values) }),
  },
  authorizedKey: {
    parameters: { state: true, user: true, key: true, options: true, path: true, exclusive: true },
    build: (_, values) => present(values),
  },
  command: {
    parameters: {
      ...{ argv: true, creates: true, removes: true, onlyIf: true, unless: true },
      ...{ cwd: true, env: true, stdin: true, exitStatus: true },
    },
    build: (_, values) => values,
  },
  echo: {
    parameters: { message: true },
    build: (name, { message = name }, tools) => ({ message: messageParts(String(message), tools) }),
  },
  assert: {
    parameters: { that: true, message: true },
    build: (_, { that, message }, tools) => ({
      that: [that].flat().flatMap((condition) => tools.condition('that', condition) ?? []),
      message,
    }),
  },
  stop: { parameters: { message: true }, build: (name, { message = name }) => ({ message }) },
};

function present(values: Values): Values {
  return { ...values, state: values.state ?? 'present' };
}

function fileContent(content: unknown, from: unknown, tools: Tools): unknown {
  if (content !== undefined && from !== undefined) {
    return tools.problem('policy.bad-parameter', 'content and from exclude each other');
  }
  if (content !== undefined) {
    return typeof content === 'string'
      ? tools.text(content)
      : tools.problem('policy.bad-parameter', `content must be a text, not ${JSON.stringify(content)}`);
  }
  if (from === undefined) return undefined;
  return typeof from === 'string'
    ? tools.file(from)
    : tools.problem('policy.bad-parameter', 'from must be a path');
}
