/**
 * Loads towline.toml: text to environment declarations.
 * Invariant: all problems at once, each with file:line:column; declarations are in the order written.
 * Never reads a file itself: the caller decides which revision is trusted.
 */

import type { Checked, Place, Problem } from '../../agent/protocol/problem.ts';
import { success } from '../../agent/protocol/problem.ts';
import { schemaProblems } from '../../inventory/schema-problems.ts';
import { parseToml, type TomlDocument } from '../../inventory/toml.ts';
import type { TomlPath } from '../../inventory/toml-positions.ts';
import { settingsProblem } from '../base/problem-codes/policy-settings.ts';
import type { EnvironmentDeclaration } from './environment.ts';
import { driftSchema, environmentSchema, isEnvironmentName, settingsSchema } from './settings-schema.ts';

/** What towline.toml declares. */
export interface Settings {
  readonly environments: readonly EnvironmentDeclaration[];
}

/** Reads the text of a towline.toml; `file` is as it is to appear in places. */
export function loadSettings(file: string, text: string): Checked<Settings> {
  const document = parseToml(file, text);
  if (!document.ok) return document;
  const parsed = settingsSchema.safeParse(document.value.value);
  const problems = badNames(document.value);
  if (!parsed.success) problems.push(...formProblems(parsed.error, document.value));
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  const environments = Object.entries(parsed.data.environments).map(([name, settings]) =>
    declaration(name, settings, document.value.place(['environments', name])),
  );
  return success({ environments });
}

type EnvironmentSettings = ReturnType<typeof environmentSchema.parse>;

function declaration(name: string, settings: EnvironmentSettings, place: Place): EnvironmentDeclaration {
  const { branch, inventory, roles, drift, poll, expires, parallel } = settings;
  const { spread, ...rest } = drift;
  return Object.freeze({
    name,
    branch,
    inventory: inventory.replace(/\/$/, ''),
    roles: Object.freeze(roles),
    drift: Object.freeze({ ...rest, spreadSeconds: spread }),
    pollSeconds: poll,
    expiresSeconds: expires,
    parallel,
    place,
  });
}

function badNames(document: TomlDocument): Problem[] {
  return Object.keys(document.value.environments ?? {})
    .filter((name) => !isEnvironmentName(name))
    .map((name) => {
      const wanted = 'letters, digits and . _ - are, up to 100 of them';
      const message = `${JSON.stringify(name)} is not a possible name of an environment: ${wanted}`;
      return settingsProblem('settings.bad-value', message, {
        where: document.place(['environments', name]),
      });
    });
}

function formProblems(
  error: Parameters<typeof schemaProblems>[0],
  document: TomlDocument,
): readonly Problem[] {
  return schemaProblems(error, document, {
    known: knownKeys,
    unknownKey: (message, where) => settingsProblem('settings.unknown-key', message, { where }),
    badValue: (message, where) => settingsProblem('settings.bad-value', message, { where }),
  });
}

function knownKeys(path: TomlPath): readonly string[] {
  if (path.length === 0) return Object.keys(settingsSchema.shape);
  return Object.keys(path.length === 2 ? environmentSchema.shape : driftSchema.shape);
}
