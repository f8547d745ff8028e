/** What the page's script draws. */
export interface ChartData {
  readonly distribution: {
    /** Response times, ms, ascending. */
    readonly ms: readonly number[];
    /** Share of the connections that took longer, by scheduler; null where there is none. */
    readonly curves: readonly Curve[];
  };
  /** One for each scheduler. */
  readonly loads: readonly LoadChart[];
  /** What happens to servers, in order of time. */
  readonly events: readonly { readonly at: number; readonly label: string }[];
  /** Unit of `at`, as the axis names it. */
  readonly timeUnit: string;
}

/** One line of a chart. */
interface Curve {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

/** The load of servers under one scheduler. */
export interface LoadChart {
  readonly scheduler: string;
  /** In the time unit. */
  readonly at: readonly number[];
  readonly lines: readonly Curve[];
  /** What the lines count. */
  readonly unit: string;
}
