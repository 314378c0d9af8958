import { connect } from "marcador";
import { useMemo, useSyncExternalStore } from "react";

/**
 * A board that is connected while a component shows it. StrictMode's second mount opens another one
 * and closes the first.
 */
function follow(options) {
  let board = null;
  return {
    subscribe(listener) {
      board = connect(options);
      board.subscribe(listener);
      return board.close;
    },
    getSnapshot: () => board?.getSnapshot() ?? null,
  };
}

/** `getToken` must be the same function at each render: a module's, or one from useCallback. */
export function Leaderboard({ board, period, baseUrl, getToken }) {
  const { subscribe, getSnapshot } = useMemo(
    () => follow({ board, period, baseUrl, getToken }),
    [board, period, baseUrl, getToken],
  );
  const snapshot = useSyncExternalStore(subscribe, getSnapshot, () => null);
  if (snapshot === null || snapshot.version === null)
    return <p>{snapshot?.error?.message ?? "…"}</p>;
  return (
    <ol>
      {snapshot.entries.map(({ userId, rank, username, score, isCurrentUser }) => (
        <li key={userId} value={rank} aria-current={isCurrentUser}>
          {username}: {score}
        </li>
      ))}
    </ol>
  );
}
