import type { SchedulerSpec } from '../core/scheduler.ts';
import { dh } from './dh.ts';
import { fo } from './fo.ts';
import { lblc } from './lblc.ts';
import { lblcr } from './lblcr.ts';
import { lc } from './lc.ts';
import { mh } from './mh.ts';
import { nq } from './nq.ts';
import { ovf } from './ovf.ts';
import { rr } from './rr.ts';
import { sed } from './sed.ts';
import { sh } from './sh.ts';
import { twos } from './twos.ts';
import { wlc } from './wlc.ts';
import { wrr } from './wrr.ts';

/** Every scheduler that a service may name. */
export const SCHEDULERS: readonly SchedulerSpec[] = [
  rr,
  wrr,
  lc,
  wlc,
  fo,
  ovf,
  lblc,
  lblcr,
  dh,
  sh,
  mh,
  sed,
  nq,
  twos,
];
