interface Handle {
  getFile?: () => Promise<File>;
}

type OpenPicker = (this: Window, ...options: unknown[]) => Promise<Handle[]>;

/**
 * Call `onFiles` with the files that a user chooses in a dialog of the editor, before the editor has them.
 *
 * The editor (0.18) says nothing of them until it has read them. It opens the browser's own picker or,
 * where there is none, clicks an input that is not in the document. Returns how to stop.
 */
export function observeChosenFiles(onFiles: (files: File[]) => void): () => void {
  const stops = [observePicker(onFiles), observeInputs(onFiles)];
  return () => stops.forEach((stop) => stop());
}

function observePicker(onFiles: (files: File[]) => void): () => void {
  const place = window as { showOpenFilePicker?: OpenPicker };
  const open = place.showOpenFilePicker;
  if (open === undefined) return () => undefined;
  place.showOpenFilePicker = async (...options) => {
    const handles = await open.apply(window, options);
    // A file that cannot be read is the editor's to report.
    const files = await Promise.all(handles.map(async (handle) => handle.getFile?.().catch(() => undefined)));
    onFiles(files.filter((file) => file !== undefined));
    return handles;
  };
  return () => void (place.showOpenFilePicker = open);
}

function observeInputs(onFiles: (files: File[]) => void): () => void {
  const inputs: { click: (this: HTMLInputElement) => void } = HTMLInputElement.prototype;
  const { click } = inputs;
  inputs.click = function () {
    // Those of the page are in the document.
    if (this.type === 'file' && !this.isConnected) this.addEventListener('change', () => onFiles([...(this.files ?? [])]), { once: true, capture: true });
    click.call(this);
  };
  return () => void (inputs.click = click);
}
