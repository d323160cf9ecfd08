"""The tracking address of the feature-flag SDKs: exposures and custom events of their built-in plugins."""

from events.sdk.door import SdkDoor

__all__ = ["SdkDoor"]
