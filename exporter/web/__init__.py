"""What is served: the exposition, a page for people, health, and the lifecycle.

Here belongs all that speaks HTTP to clients, its protection included. It reads the store and the own metrics and
asks for a reload, nothing more: no request ever waits for Graph.
"""
