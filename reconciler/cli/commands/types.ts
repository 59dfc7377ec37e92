/**
 * `towline types`: lays the types of `'towline'` where editors find them.
 * Invariant: writes below `.towline/types/` of the repository only; says whether that changed anything.
 * Contacts nobody.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { planProblem } from '../../base/problem-codes/plan.ts';
import { settingsFile } from '../../environments.ts';
import { layTypes, typesPath } from '../../policy/lay-types.ts';
import { type Command, exitStatus } from '../command.ts';
import { policyLocation } from '../location.ts';
import { createOutput } from '../output.ts';
import { refuse } from '../refuse.ts';

export const types: Command = {
  name: 'types',
  summary: 'lay the types of role files where editors find them',
  examples: [
    ['towline types', 'once after a clone, and after each new version of Towline'],
    ['towline types --repo fleet', 'in another directory'],
  ],
  async run(invocation) {
    const { options, surroundings } = invocation;
    const directory = policyLocation(options, surroundings);
    if (!existsSync(join(directory, settingsFile))) {
      const message = `there is no ${settingsFile} in ${directory}`;
      return refuse(invocation, [
        planProblem('plan.no-environment', message, { where: { file: settingsFile } }),
      ]);
    }
    const laid = layTypes(directory);
    createOutput(surroundings, options).document({ path: join(directory, typesPath), laid }, () => [
      laid ? `laid ${typesPath}` : `${typesPath} is current`,
    ]);
    return exitStatus.done;
  },
};
