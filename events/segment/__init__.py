"""The Segment HTTP API: what every Segment-compatible client library already speaks."""

from events.segment.door import SegmentDoor

__all__ = ["SegmentDoor"]
