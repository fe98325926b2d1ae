import type { Collaborator, ExcalidrawImperativeAPI, ExcalidrawProps, SocketId } from '@excalidraw/excalidraw/types';
import { useEffect, useMemo } from 'react';
import type { People } from '../models/people.js';
import { tintColours } from '../ui/tints.js';

const SHOW_EVERY_MS = 60;

interface PointerHandlers {
  update: NonNullable<ExcalidrawProps['onPointerUpdate']>;
  leave: () => void;
}

/** Show the others where we point, not more often than an eye can follow. */
export function usePointer(api: ExcalidrawImperativeAPI | null, people: People): PointerHandlers {
  return useMemo(() => {
    let shownAt = 0;
    let wasDown = false;
    return {
      update: ({ pointer, button }) => {
        const down = button === 'down';
        if (down === wasDown && performance.now() - shownAt < SHOW_EVERY_MS) return;
        [shownAt, wasDown] = [performance.now(), down];
        const [x, y] = [Math.round(pointer.x), Math.round(pointer.y)];
        const selected = Object.keys(api?.getAppState().selectedElementIds ?? {});
        people.showPointer({ x, y, down, laser: pointer.tool === 'laser', selected });
      },
      leave: () => people.showPointer(null),
    };
  }, [api, people]);
}

/** Show where the others point. */
export function useCollaborators(api: ExcalidrawImperativeAPI | null, people: People): void {
  useEffect(() => {
    if (api === null) return;
    let frame = 0;
    const show = (): void => {
      frame = 0;
      api.updateScene({ collaborators: collaborators(people) });
    };
    const stop = people.observePointers(() => (frame ||= requestAnimationFrame(show)));
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [api, people]);
}

function collaborators(people: People): Map<SocketId, Collaborator> {
  return new Map(
    people.pointers().map(({ clientId, name, pointer: { x, y, down, laser, selected } }) => {
      const collaborator: Collaborator = {
        id: clientId,
        username: name,
        color: tintColours(people.tintOf(clientId)),
        pointer: { x, y, tool: laser ? 'laser' : 'pointer' },
        button: down ? 'down' : 'up',
        selectedElementIds: Object.fromEntries(selected.map((id) => [id, true])),
      };
      return [clientId as SocketId, collaborator];
    }),
  );
}
