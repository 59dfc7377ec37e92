/**
 * Every bench, in the order in which all are run.
 * Invariant: a bench is here or does not exist.
 * Nothing else belongs in this file.
 */

import type { Bench } from './bench.ts';
import { coldConnect50 } from './cold-connect-50.ts';
import { commands100 } from './commands-100.ts';
import { fortyResources } from './forty-resources.ts';
import { oneFile } from './one-file.ts';
import { plan10k } from './plan-10k.ts';
import { templateEdited } from './template-edited.ts';
import { thousandFilesBench } from './thousand-files.ts';
import { upkeep } from './upkeep.ts';

export const benches: readonly Bench[] = [
  commands100,
  fortyResources,
  thousandFilesBench,
  templateEdited,
  oneFile,
  coldConnect50,
  plan10k,
  upkeep,
];
