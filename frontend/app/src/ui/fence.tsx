import { Component, type ReactNode } from 'react';
import { t } from '../i18n.js';

/** Shows an error in place of a canvas that fails, so that the chat still works. */
export class Fence extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <p className="loading" role="alert">
        {t('canvasFailed')}
        <button type="button" className="quiet" onClick={() => location.reload()}>
          {t('reload')}
        </button>
      </p>
    );
  }
}
