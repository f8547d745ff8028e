/** What an IdleList links; the fields belong to the list. */
export interface Idling {
  older: Idling | undefined;
  younger: Idling | undefined;
}

/** Items by last use, linked through themselves: touching one allocates nothing. */
export class IdleList<T extends Idling> {
  private oldest: Idling | undefined;
  private youngest: Idling | undefined;

  /** Adds an item that is in no list. */
  add(item: T): void {
    item.older = this.youngest;
    item.younger = undefined;
    if (this.youngest === undefined) this.oldest = item;
    else this.youngest.younger = item;
    this.youngest = item;
  }

  /** Makes an item of the list the last used. */
  touch(item: T): void {
    if (this.youngest === item) return;
    this.remove(item);
    this.add(item);
  }

  remove(item: T): void {
    if (item.older === undefined) this.oldest = item.younger;
    else item.older.younger = item.younger;
    if (item.younger === undefined) this.youngest = item.older;
    else item.younger.older = item.older;
    item.older = undefined;
    item.younger = undefined;
  }

  /** @returns the item idle for longest, or `undefined` if the list is empty. */
  longestIdle(): T | undefined {
    return this.oldest as T | undefined;
  }
}
