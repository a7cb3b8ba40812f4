"""Labelling clips by hand, where a strategy proposes them: what is labelled (`task`), and the buttons (`widget`)."""

from skelkit.labelling.task import Task, open_task, tell_classes
from skelkit.labelling.widget import Labeller

__all__ = ["Labeller", "Task", "open_task", "tell_classes"]
