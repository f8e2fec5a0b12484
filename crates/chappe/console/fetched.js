// What a page has fetched, and whether it is still being fetched or has failed. Answers that are overtaken by a newer
// question are dropped.

/** Runs `ask` now and whenever `again` is called; the page is drawn after each answer. */
export function fetched(view, ask) {
  let turn = 0;
  const own = {
    value: null,
    failure: null,
    busy: false,
    async again() {
      const mine = (turn += 1);
      own.busy = true;
      view.update();
      try {
        const value = await ask();
        if (mine === turn) Object.assign(own, { value, failure: null });
      } catch (failure) {
        if (mine === turn) Object.assign(own, { failure });
      }
      if (mine === turn) own.busy = false;
      view.update();
    },
  };
  own.again();
  return own;
}

/** Calls `refresh` when `key` gives another value, at most every `pause` milliseconds. */
export function whenChanged(key, refresh, pause = 1500) {
  let [last, at, timer] = [key(), 0, null];
  return {
    look() {
      const now = key();
      if (now === last || timer !== null) return;
      timer = setTimeout(() => {
        timer = null;
        at = Date.now();
        last = key();
        refresh();
      }, Math.max(0, at + pause - Date.now()));
    },
    close: () => clearTimeout(timer),
  };
}
