"""The widget that a person labels in: the clip as an animated skeleton, a button a class, and how well it goes.

ipywidgets is imported when a labeller is made.
"""

from __future__ import annotations

import base64
import html
import io
import time
from functools import partial
from typing import Any

from skelkit.files import SkelkitError
from skelkit.labelling.picture import in_words, picture
from skelkit.labelling.task import Task
from skelkit.report.player import player

GREY, RED = "#444", "#b00020"


class Labeller:
    """Shows the clips of a task one by one, writes each label down at once, and trains when it is told to.

    What a click does is said in one line below the buttons, what went wrong as well. A clip's name is not shown: it may
    say what the clip is. The parts are attributes, so that a program can click them.
    """

    def __init__(self, task: Task, *, fps: float = 20, pause: float = 0.25):
        """fps: frames a second of the recordings. pause: seconds for which a clip must have been on before a label is
        taken, so that a double-click does not label a clip unseen."""
        import ipywidgets as w

        self.task, self.fps, self.pause = task, fps, pause
        self.shown: int | None = None  # the clip on the stage
        self.heading, self.status, self.curve = w.HTML(), w.HTML(), w.HTML()
        self.stage = w.Output(layout=w.Layout(width="450px", min_height="430px"))
        self.buttons = [
            w.Button(description=name, tooltip=f"The clip shows: {name}", layout=w.Layout(width="auto"))
            for name in task.classes
        ]
        for label, button in enumerate(self.buttons):
            button.on_click(partial(self._label, label))
        self.back = w.Button(
            description="Back", icon="arrow-left", tooltip="Show the clip before, to correct its label"
        )
        self.train = w.Button(icon="play", button_style="primary", layout=w.Layout(width="auto"))
        self.back.on_click(self._back)
        self.train.on_click(self._train)
        self.progress = w.IntProgress(
            max=task.epochs, description="training", layout=w.Layout(width="98%", visibility="hidden")
        )
        self.round = w.HBox(layout=w.Layout(flex_flow="row wrap"))
        wide = w.Layout(flex="1 1 300px", min_width="300px")
        answers = w.HBox(self.buttons, layout=w.Layout(flex_flow="row wrap"))
        question = w.HTML("<b>Which of these does the clip show?</b>")
        review = w.HTML("<b>This round</b> (click a clip to see it again and correct its label)")
        right = w.VBox(
            [question, answers, review, self.round, w.HBox([self.back, self.train]), self.progress, self.status],
            layout=wide,
        )
        middle = w.HBox([self.stage, right], layout=w.Layout(flex_flow="row wrap"))
        self.box = w.VBox([self.heading, middle, self.curve])
        self.box.add_class("skelkit-labeller")
        task.watch(self._epoch)
        self._begin_round()
        kept = int(task.counts().sum())
        self._say(f"{kept} labels were found again; go on where you left." if kept and self._where() else "")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)

    # ---- what a click does

    def _label(self, label: int, _: Any = None) -> None:
        if self.shown is None or time.monotonic() - self._since < self.pause:
            return
        clip, session = self.shown, self.task.session
        try:
            session.answer(clip, label)
        except SkelkitError as fault:
            self._say(f"The label was not taken. {fault}", RED)
            return
        self._say(f"Clip {session.proposed.index(clip) + 1}: {self.task.classes[label]}. {self._where()}")
        self._show(session.waiting[0] if session.waiting else None)

    def _back(self, _: Any = None) -> None:
        proposed = self.task.session.proposed
        at = len(proposed) if self.shown is None else proposed.index(self.shown)
        if at:
            self._show(proposed[at - 1])

    def _train(self, _: Any = None) -> None:
        session = self.task.session
        if session.waiting or session.done:  # a second click, that waited while the first one trained
            return
        self._set_busy(True)
        self._say("Training; the next clips come when it is done.")
        try:
            self.task.advance()
        except (Exception, KeyboardInterrupt) as fault:
            said = str(fault).strip().splitlines()[0] if str(fault).strip() else "it was interrupted"
            kind = "" if isinstance(fault, SkelkitError) else f"{type(fault).__name__}: "
            self._say(f"The training failed; every label is kept. {kind}{said}. Press the button to try again.", RED)
            return
        finally:
            self._set_busy(False)
            self._begin_round()
        self._say(f"Trained. {self._where()}")

    def _epoch(self, epoch: int) -> None:
        self.progress.value = epoch

    # ---- what is shown

    def _begin_round(self) -> None:
        """The stage, the list of the round's clips, and the picture, as the session stands."""
        import ipywidgets as w

        session = self.task.session
        for chip in self.round.children:
            chip.close()
        self.round.children = [w.Button(layout=w.Layout(width="auto", min_width="3em")) for _ in session.proposed]
        for chip, clip in zip(self.round.children, session.proposed, strict=True):
            chip.on_click(partial(self._show_again, clip))
        png = io.BytesIO()
        picture(self.task).savefig(png, format="png", dpi=110)
        image = base64.b64encode(png.getvalue()).decode("ascii")
        self.curve.value = (
            f'<img alt="{html.escape(in_words(self.task))}" style="max-width:100%" src="data:image/png;base64,{image}">'
        )
        self._show(session.waiting[0] if session.waiting else None)

    def _show_again(self, clip: int, _: Any = None) -> None:
        self._show(clip)

    def _show(self, clip: int | None) -> None:
        """Put a clip on the stage; None: there is nothing to label, or nothing left in this round."""
        self.shown, self._since = clip, time.monotonic()
        session, clips = self.task.session, self.task.clips
        number, rounds = len(session.rounds) + 1, len(session.plan.budgets)
        asked = len(session.proposed)
        if clip is not None:
            at = session.proposed.index(clip) + 1
            title = f"Round {number} of {rounds}, clip {at} of {asked}"
            shown = player(clips[clip], clips.skeleton, title=f"Clip {at} of {asked}", fps=self.fps).html
        elif session.done:
            title = f"Done: {session.plan.budgets[-1]} labels in {rounds} rounds"
            shown = "<p>The budget is spent, and every label is trained on. Go on with the next cell.</p>"
        elif not session.proposed:
            title, shown = (
                f"Round {number} of {rounds}: no clip is selected yet",
                "<p>Press the button to try again.</p>",
            )
        else:
            title = f"Round {number} of {rounds}: all {asked} clips have their label"
            shown = "<p>Look the round over in the list of its clips, then train.</p>"
        # Set at once, not printed into: the same in a kernel, in a callback and in a test.
        self.stage.outputs = ({"output_type": "display_data", "metadata": {}, "data": {"text/html": shown}},)
        self.heading.value = f'<h3 style="margin:0">{html.escape(title)}</h3>'
        self._refresh()

    def _refresh(self) -> None:
        """Buttons and the round's list, as the answers stand."""
        session = self.task.session
        given = session.answered
        for label, button in enumerate(self.buttons):
            button.disabled = self.shown is None
            button.button_style = "success" if given.get(self.shown) == label else ""  # type: ignore[arg-type]
        for at, (chip, clip) in enumerate(zip(self.round.children, session.proposed, strict=True), 1):
            chip.description = f"{at}: {self.task.classes[given[clip]]}" if clip in given else f"{at}"
            chip.button_style = "info" if clip == self.shown else ""
            chip.disabled = False
        self.back.disabled = not session.proposed or self.shown == session.proposed[0]
        self.train.disabled = bool(session.waiting) or session.done
        many = session.plan.budgets[min(len(session.rounds), len(session.plan.budgets) - 1)]
        self.train.description = "Done" if session.done else f"Train on all {many} labels"

    def _set_busy(self, busy: bool) -> None:
        self.progress.value = 0
        self.progress.layout.visibility = "visible" if busy else "hidden"
        for button in (*self.buttons, *self.round.children, self.back, self.train):
            button.disabled = busy
        if busy:
            self.shown = None

    def _where(self) -> str:
        path = self.task.session.answers
        return f"Kept in {path}." if path is not None else ""

    def _say(self, text: str, colour: str = GREY) -> None:
        self.status.value = f'<div role="status" style="color:{colour};line-height:1.4">{html.escape(text)}</div>'
