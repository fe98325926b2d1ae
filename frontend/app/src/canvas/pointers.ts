import type { Collaborator, ExcalidrawImperativeAPI, ExcalidrawProps, SocketId } from '@excalidraw/excalidraw/types';
import { useEffect } from 'react';
import type { People } from '../models/people.js';

const SHOW_EVERY_MS = 60;

/** Publishes this user's pointer, at most every 60 ms. */
export class PointerSender {
  private shownAt = 0;
  private wasDown = false;

  constructor(
    private readonly api: ExcalidrawImperativeAPI | null,
    private readonly people: People,
  ) {}

  readonly update: NonNullable<ExcalidrawProps['onPointerUpdate']> = ({ pointer, button }) => {
    const down = button === 'down';
    const now = performance.now();
    if (down === this.wasDown && now - this.shownAt < SHOW_EVERY_MS) return;
    this.shownAt = now;
    this.wasDown = down;
    const [x, y] = [Math.round(pointer.x), Math.round(pointer.y)];
    const selected = Object.keys(this.api?.getAppState().selectedElementIds ?? {});
    this.people.showPointer({ x, y, down, laser: pointer.tool === 'laser', selected });
  };

  readonly leave = (): void => this.people.showPointer(null);
}

/** Show the other users' pointers on the canvas. */
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
        id: hueOf(people.tintOf(clientId)),
        username: name,
        pointer: { x, y, tool: laser ? 'laser' : 'pointer' },
        button: down ? 'down' : 'up',
        selectedElementIds: Object.fromEntries(selected.map((id) => [id, true])),
      };
      return [clientId as SocketId, collaborator];
    }),
  );
}

/** The hues of the users' colours in styles.css, in tens of degrees. */
const HUES = [0, 23, 13, 4, 26, 17, 32, 7, 30, 20, 35, 28];

/**
 * Return an id for which Excalidraw draws the cursor in a user's colour.
 *
 * Excalidraw has no setting for that: it calculates the hue from the id's characters; for one
 * character it is the character's code modulo 37.
 */
function hueOf(tint: number): string {
  return String.fromCharCode(37 + (HUES[tint] ?? 0));
}
