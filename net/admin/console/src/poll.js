// What the server says, asked for again as long as somebody looks: a tab that is hidden asks nothing.
import { useEffect, useRef, useState } from 'preact/hooks';

// `ask(signal)` brings the value; null: nothing is asked. It begins anew when something of `why` changes. Gives { value, error,
// again }: the last value, null before the first; why there is no newer one; and a function that asks now.
export function usePolled(ask, every, why) {
  const [found, setFound] = useState({ value: null, error: '' });
  const now = useRef(() => {});
  useEffect(() => {
    setFound({ value: null, error: '' });
    if (ask === null) return undefined;
    const ending = new AbortController();
    let isBusy = false;
    let isWanted = false; // somebody has changed something while an answer was under way
    const look = async () => {
      isWanted = true;
      if (isBusy) return;
      isBusy = true;
      while (isWanted && !ending.signal.aborted) {
        isWanted = false;
        try {
          const value = await ask(ending.signal);
          if (!ending.signal.aborted) setFound({ value, error: '' });
        } catch (error) {
          if (!ending.signal.aborted) setFound((before) => ({ ...before, error: error.message }));
        }
      }
      isBusy = false;
    };
    const ifSeen = () => document.visibilityState === 'visible' && look();
    now.current = look;
    ifSeen();
    const timer = every > 0 ? setInterval(ifSeen, every) : undefined;
    document.addEventListener('visibilitychange', ifSeen);
    return () => {
      ending.abort();
      clearInterval(timer);
      document.removeEventListener('visibilitychange', ifSeen);
      now.current = () => {};
    };
  }, why);
  return { ...found, again: () => now.current() };
}
